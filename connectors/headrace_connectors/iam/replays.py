"""Every right that `headrace replay` needs to bring letters back from one place, by the identity that needs it."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from headrace.cli.places import Place, Places, known
from headrace.config import Config
from headrace.right import Need, Right
from headrace_connectors.iam.gathering import Needed, Sheet, place_of, source_of

OPTION = "--replay"
OF_LETTERS = frozenset({Need.REPLAY, Need.TRACE})
OF_RECORDS = frozenset({Need.REREAD, Need.BACK})


def gather(config: Config, source: str, names: Collection[str]) -> list[Needed]:
    """From *source*, as `headrace replay --from` means it, of the letters of these mappings, or of all that send there.

    What only a server could say is not asked: of a source's own dead letters every queue is meant that it may have.

    Raises:
        ConfigError: no letters lie there.
    """
    places = Places(config=config, known=known(config), option=OPTION, mapping=next(iter(names), ""))
    place = places.written(source)
    if place is None and not _keeps_letters(config, source):
        raise places.nowhere(source)
    whose = names or _whose(config, source, place, places)
    rights = [*_to_read(config, source, place), *(one for name in whose for one in _of_source(config, name))]
    sheet = Sheet(Need.REPLAY)
    for right, where in rights:
        sheet.note(right, where)
    for name in dict.fromkeys(config.all[name].function for name in whose):
        sheet.lent(config, name)
    return list(sheet.found.values())


def _keeps_letters(config: Config, source: str) -> bool:
    """Whether it is a mapping whose source keeps what was given up, or everything for a while."""
    recall = config.mappings[source].connector.recall if source in config.mappings else None
    return recall is not None and bool(recall.reread or recall.dead_letters)


def _whose(config: Config, source: str, place: Place | None, places: Places) -> Collection[str]:
    """The mappings whose letters may lie there: any, where nobody of the config sends there."""
    sent = places.senders(place) if place else []
    return sent or ([source] if source in config.mappings else list(config.mappings))


def _to_read(config: Config, source: str, place: Place | None) -> Iterator[tuple[Right, str]]:
    """Where they lie, and to settle them there."""
    if place is not None:
        where = place_of(place.mapping, place.path) if place.path else f"{OPTION} {source}"
        yield from ((right, where) for right in place.rights())
    elif (mapping := config.mappings.get(source)) is not None:
        for right in mapping.connector.rights(config.opening(source)):
            if right.need in OF_LETTERS:
                yield right, source_of(source)


def _of_source(config: Config, name: str) -> Iterator[tuple[Right, str]]:
    """To read again what is not with its letter, and to send it back."""
    opening = config.opening(name)
    for right in config.all[name].connector.rights(opening):
        if right.need in OF_RECORDS:
            yield right, source_of(name)
    check = opening.on_failure and opening.on_failure.claim_check
    if check and check.kind.claims:
        for right in check.kind.claims.rights(opening, check.options):
            if right.need is Need.REPLAY:
                yield right, place_of(name, check.path)
