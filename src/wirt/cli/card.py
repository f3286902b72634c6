"""``wirt card``."""

import click
import msgspec

from wirt import app
from wirt.cli import options
from wirt.console import output
from wirt.model.card import Card, CardKind
from wirt.model.rates import Rates, render_rates
from wirt.model.route import Route
from wirt.ops import cards as verbs
from wirt.ops.rates import RatesRequest, set_card
from wirt.ops.routes import RoutesRequest, set_routes


def _rates(function: options.Function) -> options.Function:
    """Add the options that say how fast a card is."""
    rate = options.RATE
    sent = click.option("--rate-in", type=rate, help="What it is sent, per second, or unlimited.")
    sends = click.option("--rate-out", type=rate, help="What it sends, per second, or unlimited.")
    return sent(sends(function))


@click.group(short_help="Further network cards of a guest.")
def card() -> None:
    """Give a guest further network cards, at once if it runs, change them and take them away."""


@card.command()
@click.argument("guest")
@click.option("--network", help="Private network that it is on; the home's bridge if left out.")
@click.option("--address", multiple=True, help="Its address; may be repeated; chosen if left out.")
@click.option("--name", help="What it is called inside; eth1 and so on if left out.")
@click.option("--mac", help="Its MAC; chosen if left out.")
@click.option("--mtu", type=options.MTU, help="Bytes of a packet.")
@click.option("--routed", is_flag=True, help="On no bridge: the node has a route to its addresses.")
@click.option(
    "--proxy-arp", is_flag=True, help="Of a routed card: the node's neighbours find its addresses."
)
@click.option(
    "--route", type=options.ROUTE, multiple=True, help="A network and who leads there; repeated."
)
@_rates
@click.option("--device", help="An interface of the node that the guest has as long as it runs.")
def add(
    guest: str,
    network: str | None,
    address: tuple[str, ...],
    name: str | None,
    mac: str | None,
    mtu: int | None,
    routed: bool,
    proxy_arp: bool,
    route: tuple[Route, ...],
    rate_in: int | None,
    rate_out: int | None,
    device: str | None,
) -> None:
    """Give GUEST another card; it is kept."""
    wanted = verbs.NewCard(
        name=name,
        network=network,
        addresses=address,
        mac=mac,
        mtu=mtu,
        device=device,
        is_routed=routed,
        is_proxied=proxy_arp,
        rates=Rates().changed(inward=rate_in, outward=rate_out),
        routes=route,
    )
    with app.open_context() as context:
        changed, made = verbs.add_card(context, guest, wanted)
    has = ", ".join(made.addresses) or "no address"
    output.say(f"guest {changed.name} has the card {made.name} now: {has}")


@card.command("list")
@click.argument("guest")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_cards(guest: str, as_json: bool) -> None:
    """List the cards of GUEST."""
    with app.open_context() as context:
        found = verbs.describe_cards(context, context.store.find(guest))
    if as_json:
        listed = [
            {**msgspec.to_builtins(one), "all_addresses": addresses} for one, addresses in found
        ]
        output.say(msgspec.json.encode(listed).decode())
        return
    rows = [
        (
            one.name,
            _where(one),
            one.mac or "-",
            str(one.mtu or "-"),
            render_rates(one.rates) or "-",
            ", ".join(map(str, one.routes)) or "-",
            " ".join(addresses) or "-",
        )
        for one, addresses in found
    ]
    output.say(
        output.columns(("NAME", "NETWORK", "MAC", "MTU", "RATES", "ROUTES", "ADDRESSES"), rows)
    )


@card.command("set")
@click.argument("guest")
@click.argument("card")
@_rates
@options.routes
def set_rates(
    guest: str,
    card: str,
    rate_in: int | None,
    rate_out: int | None,
    route_add: tuple[Route, ...],
    route_remove: tuple[str, ...],
) -> None:
    """Give the card called CARD of GUEST other rates and routes, at once if it runs; they are kept."""
    request = RatesRequest(inward=rate_in, outward=rate_out)
    routes = RoutesRequest(add=route_add, remove=route_remove)
    has = []
    with app.open_context() as context:
        if routes != RoutesRequest():
            changed, one = set_routes(context, guest, card, routes)
            has.append(options.described_routes(one.routes))
        if request != RatesRequest() or not has:
            changed, one = set_card(context, guest, card, request)
            has.append(render_rates(one.rates) or "no rates")
    output.say(f"card {one.name} of guest {changed.name} has {', '.join(has)} now")


@card.command()
@click.argument("guest")
@click.argument("card")
def remove(guest: str, card: str) -> None:
    """Take the card called CARD from GUEST."""
    with app.open_context() as context:
        changed = verbs.remove_card(context, guest, card)
    output.say(f"guest {changed.name} has no card {card} any more")


def _where(one: Card) -> str:
    if one.kind is not CardKind.BRIDGED:
        return one.kind.value
    return one.network or "bridge"
