"""A topic of failure records: what the catalog is told. What reads it is `topic`, imported when one is opened."""

from __future__ import annotations

from headrace.late import Late
from headrace.mailbox import MailboxKind
from headrace_connectors.destinations.kafka import SCHEME, KafkaDestinationOptions
from headrace_connectors.destinations.kafka import kafka as destination

NO_DELETE = "nothing is deleted from a topic: what was replayed is remembered; take --delete out"
ASTRAY = "nothing says which servers; write kafka.bootstrap_servers, or name a mapping of that cluster with --mapping"

kafka = MailboxKind(
    type="kafka",
    form=f"{SCHEME}TOPIC",
    options=KafkaDestinationOptions,
    text=destination.text,
    identity=lambda opening, options: f"{sorted(options.reaching(opening).servers)} {options.topic}",
    shown=lambda options: options.topic,
    open=Late("headrace_connectors.mailboxes.topic:TopicMailbox"),
    no_delete=NO_DELETE,
    astray=lambda opening, options: "" if options.reaching(opening).servers else ASTRAY,
)
