"""The context object is Lambda's."""

import re

import pytest

from headrace.functions.context import Context, Delivery


class FakeClock:
    now = 100.0

    def wall(self):
        return self.now

    def boot(self):
        return self.now


def make(clock=None):
    delivery = Delivery(mapping="orders", lane="queue", epoch=7, attempt=2)
    arn = "arn:aws:lambda:eu-central-1:000000000000:function:f"
    return Context(function="f", arn=arn, request_id="r", deadline=103.0, delivery=delivery, clock=clock or FakeClock())


def test_has_lambdas_attributes():
    context = make()
    assert context.aws_request_id == "r"
    assert context.function_name == "f"
    assert context.function_version == "$LATEST"
    assert context.invoked_function_arn == "arn:aws:lambda:eu-central-1:000000000000:function:f"
    assert context.memory_limit_in_mb == "128"
    assert context.log_group_name == "/aws/lambda/f"
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", context.log_stream_name)
    assert context.client_context is None
    assert context.identity.cognito_identity_id is None
    assert context.identity.cognito_identity_pool_id is None
    assert context.tenant_id is None


def test_attributes_are_writable():
    """Fails with __slots__ or a frozen dataclass: tracers hang their own attributes on it."""
    context = make()
    context.aws_request_id = "other"
    context.tracer = "mine"
    assert (context.aws_request_id, context.tracer) == ("other", "mine")


def test_remaining_time_counts_down_and_stops_at_zero():
    """Fails without the max()."""
    clock = FakeClock()
    context = make(clock)
    assert context.get_remaining_time_in_millis() == 3000
    clock.now = 102.5
    assert context.get_remaining_time_in_millis() == 500
    clock.now = 110.0
    assert context.get_remaining_time_in_millis() == 0
    assert isinstance(context.get_remaining_time_in_millis(), int)


def test_log_writes_without_newline(capsys):
    make().log("a")
    make().log(1)
    assert capsys.readouterr().out == "a1"


def test_says_where_the_event_came_from():
    delivery = make().headrace
    assert (delivery.mapping, delivery.lane, delivery.epoch, delivery.attempt) == ("orders", "queue", 7, 2)
    with pytest.raises(AttributeError):
        delivery.epoch = 8


def test_repr_names_the_request():
    assert repr(make()).startswith("LambdaContext([aws_request_id=r, function_name=f")
