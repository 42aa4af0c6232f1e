"""A service of the mesh in Python: gRPC over mutual TLS, traced, its callers checked against its contract.

It serves weft.gift.v1.GiftService and calls weft.gift.v1.ShopService, with the trace, the deadline and the tenant of the
call that it serves. Its environment: GIFT_PORT, SHOP_ADDRESS, WEFT_TLS_CA, WEFT_TLS_CERT, WEFT_TLS_KEY (PEM files),
OTEL_EXPORTER_OTLP_TRACES_ENDPOINT. It prints a line when it is ready, and ends on SIGTERM.
"""

import os
import signal
import threading
from concurrent import futures

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.grpc import client_interceptor, server_interceptor
from opentelemetry.instrumentation.grpc.grpcext import intercept_channel
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from weft.gift.v1 import gift_pb2, gift_pb2_grpc
from weft.policy.v1 import policy_pb2

TENANT = "x-weft-tenant"
SUBJECT = "x-weft-subject"
MARGIN_SECONDS = 0.01


def refuse(context, code, reason, message):
    """Ends the call with an error of the mesh's one shape: a status with google.rpc.ErrorInfo (AIP-193)."""
    info = any_pb2.Any()
    info.Pack(error_details_pb2.ErrorInfo(reason=reason, domain="weft.dev"))
    status = status_pb2.Status(code=code, message=message, details=[info])
    context.abort_with_status(rpc_status.to_status(status))


def peer_of(context):
    """The mesh identity of the caller: `shop` of the URI name spiffe://weft/shop in its certificate."""
    names = context.auth_context().get("x509_subject_alternative_name", [])
    for name in names:
        if name.startswith(b"spiffe://weft/"):
            return name.removeprefix(b"spiffe://weft/").decode()
    return None


class PolicyInterceptor(grpc.ServerInterceptor):
    """Lets a call in only if the method's policy, read from the contract, names its caller."""

    def __init__(self, service):
        self.callers = {
            f"/{service.full_name}/{method.name}": method.GetOptions().Extensions[policy_pb2.method].callers
            for method in service.methods
        }

    def intercept_service(self, continuation, details):
        handler = continuation(details)
        callers = self.callers.get(details.method)
        if handler is None or callers is None:
            return handler

        def guarded(request, context):
            peer = peer_of(context)
            if peer not in callers:
                refuse(context, code_pb2.PERMISSION_DENIED, "CALLER_NOT_ALLOWED", f"{peer} may not call this method")
            return handler.unary_unary(request, context)

        return grpc.unary_unary_rpc_method_handler(
            guarded, handler.request_deserializer, handler.response_serializer
        )


class Gifts(gift_pb2_grpc.GiftServiceServicer):
    def __init__(self, shop):
        self.shop = shop

    def WrapGift(self, request, context):
        if not request.recipient:
            refuse(context, code_pb2.INVALID_ARGUMENT, "INVALID_FIELD", "recipient: must not be empty")
        given = {key: value for key, value in context.invocation_metadata()}
        acting_for = [(key, given[key]) for key in (TENANT, SUBJECT) if key in given]
        wish = self.shop.GetWish(
            gift_pb2.GetWishRequest(recipient=request.recipient),
            timeout=context.time_remaining() - MARGIN_SECONDS,
            metadata=acting_for,
        )
        left = duration_pb2.Duration()
        left.FromNanoseconds(int(context.time_remaining() * 1e9))
        return gift_pb2.WrapGiftResponse(
            label=f"{wish.wish} for {request.recipient} of {wish.tenant}", time_left=left
        )


def read(variable):
    with open(os.environ[variable], "rb") as file:
        return file.read()


def main():
    exporter = OTLPSpanExporter(os.environ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"], insecure=True)
    provider = TracerProvider(resource=Resource.create({"service.name": "gift"}))
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=500))
    trace.set_tracer_provider(provider)

    ca, cert, key = read("WEFT_TLS_CA"), read("WEFT_TLS_CERT"), read("WEFT_TLS_KEY")
    channel = grpc.secure_channel(
        os.environ["SHOP_ADDRESS"],
        grpc.ssl_channel_credentials(ca, key, cert),
        # The name that counts is the mesh's, not the host's.
        options=[("grpc.ssl_target_name_override", "shop")],
    )
    shop = gift_pb2_grpc.ShopServiceStub(intercept_channel(channel, client_interceptor()))

    service = gift_pb2.DESCRIPTOR.services_by_name["GiftService"]
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=8),
        interceptors=[server_interceptor(), PolicyInterceptor(service)],
        maximum_concurrent_rpcs=64,
    )
    gift_pb2_grpc.add_GiftServiceServicer_to_server(Gifts(shop), server)
    credentials = grpc.ssl_server_credentials([(key, cert)], ca, require_client_auth=True)
    server.add_secure_port(f"127.0.0.1:{os.environ['GIFT_PORT']}", credentials)
    server.start()
    print("ready", flush=True)

    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    stopping.wait()
    server.stop(grace=5).wait()
    provider.shutdown()


main()
