"""Records with a secret planted in every field that is redacted: of every source, as its own connector makes them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from headrace.model import KEEP, Condition, Event, Held, Origin, Record, Traits
from headrace.plugins import Connector, Opening
from headrace_connectors.dynamodb import event as dynamodb_event
from headrace_connectors.dynamodb.origin import origin as dynamodb_origin
from headrace_connectors.dynamodb.source import dynamodb
from headrace_connectors.kafka.message import PlainMessage
from headrace_connectors.kafka.options import KafkaOptions
from headrace_connectors.kafka.present.shape import Around
from headrace_connectors.kafka.present.shapes import SHAPES
from headrace_connectors.kafka.registration import kafka
from headrace_connectors.kinesis import event as kinesis_event
from headrace_connectors.kinesis.origin import origin as kinesis_origin
from headrace_connectors.kinesis.source import kinesis
from headrace_connectors.sqs import event as sqs_event
from headrace_connectors.sqs.lane import FIFO_TRAITS, TRAITS
from headrace_connectors.sqs.options import SqsOptions
from headrace_connectors.sqs.origin import origin as sqs_origin
from headrace_connectors.sqs.source import sqs
from support.traces import exposes

SECRET = "s3cr ét\"4111'2222\\9"
"""Every notation writes it otherwise."""
NUMBER = 4929123456781234

REGION = "eu-central-1"
QUEUE = f"arn:aws:sqs:{REGION}:000000000000:orders"
STREAM = f"arn:aws:kinesis:{REGION}:000000000000:stream/orders"
TABLE = f"arn:aws:dynamodb:{REGION}:000000000000:table/orders/stream/2026-01-01T00:00:00.000"

ORDER = {
    "id": 7,
    "card": {"number": SECRET, "cvv": NUMBER},
    "customer": {"home": {"email": SECRET}, "office": [{"email": SECRET}], "name": "Bob"},
    "notes": [SECRET, [SECRET]],
    "inner": json.dumps({"token": SECRET}),
}
PATHS = ("card.number", "card.cvv", "customer.*.email", "notes.*", "inner.token")


class PlantedLane:
    """Hands each record out; what is given back comes again."""

    name, deadline, epoch, behind, care, doubt = "lane", math.inf, 0, None, None, None
    condition = Condition("polling")

    def __init__(self, records: Sequence[Record], traits: Traits) -> None:
        self.traits, self._waiting = traits, list(records)
        self._out: dict[int, Record] = {}
        self._returning = 0
        self._news = asyncio.Event()
        for number, record in enumerate(records):
            record.number = number

    @property
    def held(self) -> Held:
        return Held(len(self._out), 0)

    @property
    def done(self) -> bool:
        return not self._waiting and not self._out and not self._returning

    async def tend(self) -> None:
        await asyncio.Event().wait()

    async def fetch(self, limit: int) -> Sequence[Record]:
        while not self._waiting:
            self._news.clear()
            await self._news.wait()
        served, self._waiting = self._waiting[:limit], self._waiting[limit:]
        self._out |= {id(one): one for one in served}
        return served

    async def ack(self, records: Sequence[Record], memo: Any = KEEP) -> None:
        for record in records:
            del self._out[id(record)]

    async def nack(self, records: Sequence[Record], delay: float | None) -> None:
        for record in records:
            del self._out[id(record)]
            record.attempt += 1
            if delay is not None:
                self._returning += 1
                asyncio.get_running_loop().call_later(delay, self._again, record)

    def _again(self, record: Record) -> None:
        self._waiting.append(record)
        self._returning -= 1
        self._news.set()

    async def leave(self) -> float:
        await asyncio.Event().wait()
        return 0.0

    async def halt(self) -> int:
        return 0

    async def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Planted:
    """One kind of record: how its connector makes and shows it, and which paths are redacted."""

    connector: Connector
    redact: Sequence[str]
    make: Callable[[], Sequence[Record]]
    render: Callable[[Sequence[Record]], Event]
    origin: Callable[[Sequence[Record]], Origin]
    traits: Traits
    options: Any = None
    identify: Callable[[object], str | None] = lambda one: one if isinstance(one, str) else None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def secrets(self) -> list[str]:
        """Those that are in it."""
        shown = repr([getattr(one, "of", one.raw) for one in self.make()])
        return [one for one in (SECRET, str(NUMBER)) if exposes(shown, one)]

    def opened(self, sources: list[PlantedSource]) -> Connector:
        """The connector with these records in the place of its server."""

        def open_(_: Opening) -> PlantedSource:
            sources.append(PlantedSource(self))
            return sources[-1]

        return replace(self.connector, open=open_, shards=None)


class PlantedSource:
    """A `Source`."""

    condition = Condition("polling")

    def __init__(self, planted: Planted) -> None:
        self.planted = planted
        self.lane = PlantedLane(planted.make(), planted.traits)
        self.render, self.identify = planted.render, planted.identify

    async def lanes(self) -> AsyncIterator[PlantedLane]:
        yield self.lane

    def origin(self, lane: str, records: Sequence[Record]) -> Origin:
        return self.planted.origin(records)

    async def idle(self) -> bool:
        return self.lane.done

    async def lag(self) -> int | None:
        return None

    async def dead_lettered(self) -> int | None:
        return None

    async def close(self) -> None: ...


def of_body(*paths: str) -> list[str]:
    return [f"body.{one}" for one in paths]


def sqs_message(body: str, number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "MessageId": f"m{number}",
        "ReceiptHandle": f"r{number}",
        "Body": body,
        "MD5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        "Attributes": {"SentTimestamp": "946684860000", "ApproximateReceiveCount": "1", **more.pop("attributes", {})},
        **more,
    }


def of_sqs(redact: Sequence[str], *messages: dict[str, Any], unwrap: Sequence[Any] = (), **more: Any) -> Planted:
    shown = {"arn": QUEUE, "region": REGION, "windowed": False}

    def make() -> list[Record]:
        if unwrap:
            return sqs_event.unwrapped_records(messages, None, math.inf, kinds=unwrap)
        return sqs_event.records(messages, None, math.inf)

    return Planted(
        connector=sqs,
        options=SqsOptions(queue_url="http://localhost/000000000000/orders", unwrap=list(unwrap)),
        redact=redact,
        make=make,
        render=partial(sqs_event.render_unwrapped if unwrap else sqs_event.render, **shown),
        origin=lambda records: sqs_origin(records[0], **shown),
        **{"traits": TRAITS, **more},
    )


def of_kinesis(redact: Sequence[str], data: bytes, key: str = "k") -> Planted:
    page = {
        "SequenceNumber": "4966",
        "ApproximateArrivalTimestamp": 946684860.0,
        "Data": base64.b64encode(data).decode(),
        "PartitionKey": key,
    }
    return Planted(
        connector=kinesis,
        redact=redact,
        make=lambda: kinesis_event.records([dict(page)], shard="shardId-0", arn=STREAM, region=REGION),
        render=partial(kinesis_event.render, arn=STREAM, region=REGION),
        origin=lambda records: kinesis_origin("shardId-0", records, arn=STREAM),
        traits=LOG,
    )


LOG = kinesis.traits


def of_dynamodb(redact: Sequence[str], key: str = "o-7") -> Planted:
    image = {
        "id": {"S": key},
        "card": {"S": SECRET},
        "cvv": {"N": str(NUMBER)},
        "customer": {"M": {"home": {"M": {"email": {"S": SECRET}}}, "name": {"S": "Bob"}}},
        "notes": {"L": [{"S": SECRET}, {"SS": [SECRET, "Bob"]}]},
        "bin": {"B": base64.b64encode(SECRET.encode()).decode()},
    }
    change = {
        "ApproximateCreationDateTime": 946684860,
        "Keys": {"id": {"S": key}},
        "NewImage": image,
        "OldImage": image,
        "SequenceNumber": "111",
        "SizeBytes": 99,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    page = {"eventID": "e1", "eventName": "MODIFY", "dynamodb": change}
    return Planted(
        connector=dynamodb,
        redact=redact,
        make=lambda: dynamodb_event.records([json.loads(json.dumps(page))], arn=TABLE, region=REGION),
        render=dynamodb_event.render,
        origin=lambda records: dynamodb_origin("shardId-0", records),
        traits=LOG,
    )


def of_kafka(
    redact: Sequence[str], value: bytes | None, key: bytes | None = b"k", present: Any = "kafka", **headers: bytes
) -> Planted:
    shape = SHAPES[present](Around(name="orders.fifo" if present == "sqs" else "orders", bootstrap_servers="b:9092"))
    message = PlainMessage("orders", 0, 15, 946684860000, 0, key, value, list(headers.items()))
    return Planted(
        connector=kafka,
        options=KafkaOptions(bootstrap_servers=["b:9092"], topics=["orders"], present_as=present),
        redact=redact,
        make=lambda: shape.records([message], received=0.0),
        render=shape.render,
        origin=shape.origin,
        identify=shape.identify,
        traits=LOG,
    )


def _fifo() -> Planted:
    body = json.dumps(ORDER)
    attributes = {"MessageGroupId": SECRET, "MessageDeduplicationId": hashlib.sha256(body.encode()).hexdigest()}
    paths = [*of_body(*PATHS), "attributes.MessageGroupId"]
    return of_sqs(paths, sqs_message(body, attributes=attributes), traits=FIFO_TRAITS)


def _enveloped() -> dict[str, Any]:
    envelope = {
        "Type": "Notification",
        "TopicArn": "arn:aws:sns:eu-central-1:000000000000:orders",
        "MessageId": "n1",
        "Message": json.dumps(ORDER),
        "MessageAttributes": {"token": {"Type": "String", "Value": SECRET}},
    }
    return sqs_message(json.dumps(envelope))


_ATTRIBUTES = {
    "token": {"DataType": "String", "StringValue": SECRET},
    "raw": {"DataType": "Binary", "BinaryValue": SECRET.encode()},
    "tenant": {"DataType": "String", "StringValue": "t1"},
}
_JSON = json.dumps(ORDER)
_UTF8 = json.dumps(ORDER, ensure_ascii=False, indent=1)
_IMAGE = ("card", "cvv", "customer.home.email", "notes", "bin")
_IMAGES = [f"dynamodb.{image}.{one}" for image in ("NewImage", "OldImage") for one in _IMAGE]

SOURCES: Mapping[str, Planted] = {
    "sqs": of_sqs(of_body(*PATHS), sqs_message(_JSON), sqs_message(_UTF8, 2)),
    "sqs, all of the body": of_sqs(["body"], sqs_message(_JSON)),
    "sqs, text": of_sqs(of_body(*PATHS), sqs_message(f"pay with {SECRET} and {NUMBER}")),
    "sqs, broken JSON": of_sqs(of_body(*PATHS), sqs_message(_JSON[:-1])),
    "sqs, JSON in JSON": of_sqs(of_body(*PATHS), sqs_message(json.dumps(_JSON))),
    "sqs, another shape": of_sqs(of_body(*PATHS), sqs_message(json.dumps({"card": SECRET, "customer": [[SECRET]]}))),
    "sqs, keys twice": of_sqs(of_body("card"), sqs_message(f'{{"card":{json.dumps(SECRET)},"card":{NUMBER}}}')),
    "sqs, attributes": of_sqs(
        ["messageAttributes.token", "messageAttributes.raw"], sqs_message("hi", MessageAttributes=_ATTRIBUTES)
    ),
    "sqs, unwrapped": of_sqs([*of_body(*PATHS), "messageAttributes.token"], _enveloped(), unwrap=["sns"]),
    "sqs, in its envelope": of_sqs(
        [*(f"body.Message.{one}" for one in PATHS), "body.MessageAttributes.token.Value"], _enveloped()
    ),
    "fifo": _fifo(),
    "kinesis": of_kinesis([*(f"data.{one}" for one in PATHS), "partitionKey"], _JSON.encode(), SECRET),
    "kinesis, text": of_kinesis([f"data.{one}" for one in PATHS], f"{SECRET} {NUMBER}".encode()),
    "kinesis, bytes": of_kinesis([f"data.{one}" for one in PATHS], b"\xff\x00" + SECRET.encode()),
    "dynamodb": of_dynamodb([*_IMAGES, "dynamodb.Keys.id", "dynamodb.NewImage.id", "dynamodb.OldImage.id"], SECRET),
    "kafka": of_kafka(
        [*(f"value.{one}" for one in PATHS), "key", "headers.token"],
        _UTF8.encode(),
        SECRET.encode(),
        token=SECRET.encode(),
    ),
    "kafka, bytes": of_kafka([f"value.{one}" for one in PATHS], b"\xff" + SECRET.encode()),
    "kafka as sqs": of_kafka(
        [*of_body(*PATHS), "messageAttributes.token", "attributes.MessageGroupId"],
        _JSON.encode(),
        SECRET.encode(),
        "sqs",
        token=SECRET.encode(),
    ),
    "kafka as sqs, unreadable": of_kafka(
        [*of_body(*PATHS), "attributes.MessageGroupId"], b"\xff" + SECRET.encode(), SECRET.encode(), "sqs"
    ),
    "kafka as kinesis": of_kafka(
        [*(f"data.{one}" for one in PATHS), "partitionKey"], _JSON.encode(), SECRET.encode(), "kinesis"
    ),
    "kafka as dynamodb": of_kafka(
        ["dynamodb.Keys", "dynamodb.NewImage.card"],
        json.dumps({"Keys": {"id": {"S": SECRET}}, "NewImage": {"card": {"S": SECRET}}}).encode(),
        SECRET.encode(),
        "dynamodb",
    ),
    "kafka as dynamodb, unreadable": of_kafka(
        ["dynamodb.Keys", "dynamodb.NewImage.card"], json.dumps({"eventName": SECRET}).encode(), None, "dynamodb"
    ),
}
