// A client of the edge in Go: places an order, reads it, watches it to its end, and reads the details of an error.
//
// Arguments: the edge's address, a file with its authority, a file with a token. The SKU comes on standard input. Prints
// what it saw as JSON.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	orderv1 "weft.dev/polyglot/gen/weft/order/v1"
)

type bearer string

func (token bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(token)}, nil
}

func (bearer) RequireTransportSecurity() bool { return true }

type refusal struct {
	Code   string   `json:"code"`
	Reason string   `json:"reason"`
	Fields []string `json:"fields"`
}

type report struct {
	Order   bool    `json:"order"`
	Last    string  `json:"last"`
	State   string  `json:"state"`
	Total   string  `json:"total"`
	Refusal refusal `json:"refusal"`
}

func main() {
	address, authority, tokenFile := os.Args[1], os.Args[2], os.Args[3]
	sku, err := bufio.NewReader(os.Stdin).ReadString('\n')
	check(err)
	connection, err := connect(address, authority, tokenFile)
	check(err)
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	seen, err := visit(ctx, orderv1.NewOrderServiceClient(connection), strings.TrimSpace(sku))
	check(err)
	check(json.NewEncoder(os.Stdout).Encode(seen))
}

func connect(address, authority, tokenFile string) (*grpc.ClientConn, error) {
	tls, err := credentials.NewClientTLSFromFile(authority, "")
	if err != nil {
		return nil, err
	}
	token, err := os.ReadFile(tokenFile)
	if err != nil {
		return nil, err
	}
	return grpc.NewClient(address,
		grpc.WithTransportCredentials(tls),
		grpc.WithPerRPCCredentials(bearer(strings.TrimSpace(string(token)))))
}

func visit(ctx context.Context, orders orderv1.OrderServiceClient, sku string) (*report, error) {
	placed, err := orders.CreateOrder(ctx, orderOf(sku, 1))
	if err != nil {
		return nil, err
	}
	name := placed.GetOrder().GetName()
	last, err := watch(ctx, orders, name)
	if err != nil {
		return nil, err
	}
	read, err := orders.GetOrder(ctx, &orderv1.GetOrderRequest{Name: name})
	if err != nil {
		return nil, err
	}
	_, err = orders.CreateOrder(ctx, orderOf(sku, -1))
	total := read.GetOrder().GetTotal()
	return &report{
		Order:   read.GetOrder().GetName() == name,
		Last:    last,
		State:   read.GetOrder().GetState().String(),
		Total:   fmt.Sprintf("%d %s", total.GetUnits(), total.GetCurrencyCode()),
		Refusal: explain(err),
	}, nil
}

func orderOf(sku string, quantity int32) *orderv1.CreateOrderRequest {
	lines := []*orderv1.OrderLine{{Sku: sku, Quantity: quantity}}
	return &orderv1.CreateOrderRequest{Order: &orderv1.Order{Lines: lines, PaymentToken: "tok_visa"}}
}

// watch returns the state in which the stream left the order.
func watch(ctx context.Context, orders orderv1.OrderServiceClient, name string) (string, error) {
	stream, err := orders.WatchOrders(ctx, &orderv1.WatchOrdersRequest{Name: name})
	if err != nil {
		return "", err
	}
	last := ""
	for {
		event, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return last, nil
		}
		if err != nil {
			return "", err
		}
		if order := event.GetOrder(); order != nil {
			last = order.GetState().String()
		}
	}
}

func explain(err error) refusal {
	found := refusal{Code: status.Code(err).String()}
	for _, detail := range status.Convert(err).Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			found.Reason = detail.GetReason()
		case *errdetails.BadRequest:
			for _, violation := range detail.GetFieldViolations() {
				found.Fields = append(found.Fields, violation.GetField())
			}
		}
	}
	return found
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
