"""An SQS queue as a source: connect, and yield its one lane."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial

from headrace.errors import Fault
from headrace.model import Condition, Event, Keep, Origin, Record, Render
from headrace.plugins import Connector, Opening, Probe
from headrace.retry import again
from headrace_connectors.aws import AwsClient, AwsError, aws_client
from headrace_connectors.sqs.event import VIEW, records, render, render_unwrapped, unwrapped_records
from headrace_connectors.sqs.hops import hops
from headrace_connectors.sqs.inbox import MOST, GroupedInbox, Inbox
from headrace_connectors.sqs.lane import TRAITS, SqsLane
from headrace_connectors.sqs.needs import rights
from headrace_connectors.sqs.options import DEFAULTS, REFUSES, SqsOptions, check, warn, warn_of
from headrace_connectors.sqs.origin import origin
from headrace_connectors.sqs.queue import WAITING, Queue, count
from headrace_connectors.sqs.recall import recall
from headrace_connectors.sqs.unwrap import TEST_EVENT


class SqsSource:
    """Stays up while its queue is missing, its rights are denied or its server is away, and says so in `condition`."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._options: SqsOptions = opening.options
        self._stack = AsyncExitStack()
        self._client: AwsClient | None = None
        self._queue: Queue | None = None
        self._lane: SqsLane | None = None
        self._render: Render
        self._origin: Callable[[Record], Origin]
        self.condition = Condition("connecting", since=opening.clock.wall())

    async def lanes(self) -> AsyncIterator[SqsLane]:
        opening, options = self._opening, self._options
        concurrency = opening.settings.maximum_concurrency
        client, queue = await self._connect(connections=2 * concurrency + 10)
        for warning in warn_of(queue, opening):
            opening.log.warning("mapping.dangerous", at=warning.path, why=warning.message)
        visibility = options.visibility_timeout or queue.visibility_timeout
        self._lane = SqsLane(
            options.queue_name,
            client,
            queue,
            visibility=max(visibility, 1),
            ceiling=options.maximum_visibility,
            concurrency=concurrency,
            inbox=_inbox(opening),
            to_records=partial(unwrapped_records, kinds=options.unwrap) if options.unwrap else records,
            tally=opening.tally(options.queue_name),
            clock=opening.clock,
            log=opening.log,
        )
        yield self._lane

    async def _connect(self, connections: int) -> tuple[AwsClient, Queue]:
        """Ask for the queue until it answers; say why while it does not."""
        opening, options = self._opening, self._options
        async for attempt in again(opening.log, "source.unavailable", queue=options.queue_name):
            with attempt:
                try:
                    if self._client is None:
                        opened = aws_client("sqs", options.aws(opening), connections=connections)
                        self._client = await self._stack.enter_async_context(opened)
                    queue = self._queue = await Queue.describe(self._client, options.queue_url)
                except AwsError as error:
                    self.condition = Condition("unavailable", str(error), opening.clock.wall())
                    raise
                windowed = bool(opening.settings.maximum_batching_window_in_seconds)
                shape = render_unwrapped if options.unwrap else render
                self._render = partial(shape, arn=queue.arn, region=queue.region, windowed=windowed)
                self._origin = partial(origin, arn=queue.arn, region=queue.region, windowed=windowed)
                return self._client, queue
        raise AssertionError("again() ends by returning or by cancellation")

    def render(self, records: Sequence[Record]) -> Event:
        return self._render(records)

    def origin(self, lane: str, records: Sequence[Record]) -> Origin:  # noqa: ARG002 - a queue is its only lane
        """Of one message."""
        (record,) = records
        return self._origin(record)

    def identify(self, identifier: object) -> str | None:
        """A messageId, which is a text."""
        return identifier if isinstance(identifier, str) else None

    async def idle(self) -> bool:
        """Nothing visible, in flight or delayed at the queue, and nothing held here."""
        if self._client is None or self._lane is None or not self._lane.idle:
            return False
        return not any(await count(self._client, self._options.queue_url))

    async def lag(self) -> int | None:
        """Messages that wait, by SQS's own approximation."""
        if self._client is None:
            return None
        return (await count(self._client, self._options.queue_url))[0]

    async def dead_lettered(self) -> int | None:
        """Messages in the queue's dead-letter queue; None when it has none or may not be asked."""
        if self._client is None or self._queue is None or self._queue.dead_letter_arn is None:
            return None
        _, _, _, _, account, name = self._queue.dead_letter_arn.split(":")
        try:
            url = (await self._client.call("GetQueueUrl", QueueName=name, QueueOwnerAWSAccountId=account))["QueueUrl"]
            answer = await self._client.call("GetQueueAttributes", QueueUrl=url, AttributeNames=[WAITING])
        except AwsError:
            return None
        return int(answer["Attributes"][WAITING])

    async def close(self) -> None:
        await self._stack.aclose()


def _inbox(opening: Opening) -> Inbox | GroupedInbox:
    options: SqsOptions = opening.options
    if not options.fifo:
        return Inbox()
    return GroupedInbox(opening.settings.batch_size or MOST, apart=options.one_group_per_batch)


def keep(opening: Opening) -> Keep | None:
    """Test events of S3 are not for a handler; they are known where S3's notifications are."""
    if "s3" not in opening.options.unwrap:
        return None

    def wanted(record: Record) -> bool:
        bucket = record.raw.get(TEST_EVENT)
        if bucket is not None:
            opening.log.info("message.test_event", id=record.id, bucket=bucket)
        return bucket is None

    return wanted


async def probe(opening: Opening) -> Probe:
    """Ask the queue's server once."""
    options: SqsOptions = opening.options
    try:
        async with aws_client("sqs", options.aws(opening)) as client:
            queue = await Queue.describe(client, options.queue_url)
    except AwsError as error:
        return Probe(faults=[Fault("source.queue_url", str(error))])
    return Probe(
        values={
            "source.visibility_timeout": options.visibility_timeout or queue.visibility_timeout,
            "source.queue_arn": queue.arn,
            "source.message_retention_period": queue.retention,
            "source.max_receive_count": queue.max_receive_count,
            "source.dead_letter_target_arn": queue.dead_letter_arn,
        },
        warnings=list(warn_of(queue, opening)),
    )


sqs = Connector(
    type="sqs",
    summary="Amazon SQS queues: at least once; standard ones in no order, FIFO ones in order per message group.",
    options=SqsOptions,
    traits=TRAITS,
    open=SqsSource,
    probe=probe,
    keep=keep,
    defaults=DEFAULTS,
    refuses=REFUSES,
    check=check,
    warn=warn,
    view=VIEW,
    addresses=lambda opening: [opening.options.address(opening)],
    hops=hops,
    recall=recall,
    rights=rights,
)
