"""A client of the edge in Python: places an order, reads it, watches it to its end, and reads the details of an error.

Arguments: the edge's address, a file with its authority, a file with a token. Prints what it saw as JSON.
"""

import json
import sys

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from weft.order.v1 import order_pb2, order_service_pb2, order_service_pb2_grpc

address, authority_file, token_file = sys.argv[1:]


def connect():
    with open(authority_file, "rb") as file:
        authority = grpc.ssl_channel_credentials(file.read())
    with open(token_file) as file:
        token = grpc.access_token_call_credentials(file.read().strip())
    return grpc.secure_channel(address, grpc.composite_channel_credentials(authority, token))


def order_of(sku, quantity):
    line = order_pb2.OrderLine(sku=sku, quantity=quantity)
    return order_service_pb2.CreateOrderRequest(
        order=order_pb2.Order(lines=[line], payment_token="tok_visa")
    )


def details_of(error):
    found = {}
    for detail in rpc_status.from_call(error).details:
        for kind in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest):
            if detail.Is(kind.DESCRIPTOR):
                found[kind.__name__] = message = kind()
                detail.Unpack(message)
    return found


with connect() as channel:
    orders = order_service_pb2_grpc.OrderServiceStub(channel)
    sku = sys.stdin.readline().strip()

    placed = orders.CreateOrder(order_of(sku, 1), timeout=20).order
    watched = [
        order_pb2.Order.State.Name(event.order.state)
        for event in orders.WatchOrders(order_service_pb2.WatchOrdersRequest(name=placed.name), timeout=20)
        if event.HasField("order")
    ]
    read = orders.GetOrder(order_service_pb2.GetOrderRequest(name=placed.name), timeout=5).order
    try:
        orders.CreateOrder(order_of(sku, -1), timeout=5)
        refusal = None
    except grpc.RpcError as error:
        details = details_of(error)
        refusal = {
            "code": error.code().name,
            "reason": details["ErrorInfo"].reason,
            "fields": [violation.field for violation in details["BadRequest"].field_violations],
        }
    print(
        json.dumps(
            {
                "order": read.name == placed.name,
                "last": watched[-1],
                "state": order_pb2.Order.State.Name(read.state),
                "total": f"{read.total.units} {read.total.currency_code}",
                "refusal": refusal,
            }
        )
    )
