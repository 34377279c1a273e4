"""/transactions, their split, and /accounting/ready-to-sync."""

from datetime import date as Date
from datetime import datetime, time, timedelta, timezone

from .. import coding, money
from ..errors import RampError, invalid, not_found
from ..listing import (
    Filter,
    answer,
    equals,
    ignored,
    one_of,
    parse_bool,
    parse_decimal,
    parse_uuid,
    read,
    since,
    until,
)
from ..routes import route
from ..state import Table, iso, wire
from . import receipts, syncs

TABLES = {
    "transactions": lambda: Table(
        orders={
            "date": lambda row: row["user_transaction_time"],
            "amount": lambda row: row["_money"]["amount_minor"] / money.rate(row["_money"]["currency"]),
        },
        index="sync_status",
    )
}
syncs.TARGETS["TRANSACTION_SYNC"] = syncs.SyncTarget("transactions")

STATUSES = ("NOT_SYNC_READY", "SYNCED", "SYNC_READY")
ORDERS = {
    "order_by_date_asc": ("date", False),
    "order_by_date_desc": ("date", True),
    "order_by_amount_asc": ("amount", False),
    "order_by_amount_desc": ("amount", True),
}
FILTERS = {
    "entity_id": equals("entity_id"),
    "card_id": equals("card_id"),
    "merchant_id": equals("merchant_id"),
    "statement_id": equals("statement_id"),
    "limit_id": equals("limit_id"),
    "spend_program_id": equals("spend_program_id"),
    "trip_id": equals("trip_id"),
    "sk_category_id": equals("sk_category_id", int),
    "user_id": Filter(parse_uuid, lambda row, value: row["card_holder"].get("user_id") == value),
    "department_id": Filter(parse_uuid, lambda row, value: row["card_holder"].get("department_id") == value),
    "location_id": Filter(parse_uuid, lambda row, value: row["card_holder"].get("location_id") == value),
    "has_statement": Filter(parse_bool, lambda row, value: ("statement_id" in row) == value),
    "all_requirements_met_and_approved": equals("all_requirements_met_and_approved", parse_bool),
    "from_date": since("user_transaction_time"),
    "to_date": until("user_transaction_time"),
    "synced_after": since("synced_at"),
    "updated_after": since("updated_at"),
    "min_amount": Filter(parse_decimal, lambda row, value: row.get("amount", 0) >= value),
    "max_amount": Filter(parse_decimal, lambda row, value: row.get("amount", 0) <= value),
    "approval_status": ignored(),
    "awaiting_approval_by_user_id": ignored(parse_uuid),
    "accounting_field_selection_id": Filter(
        parse_uuid,
        lambda row, value: any(
            selection["id"] == value
            for line in row["line_items"] or ()
            for selection in line["accounting_field_selections"]
        ),
    ),
    "requires_memo": ignored(parse_bool),
}


# -- routes


@route("GET", "/transactions", scope="transactions:read")
def index(call):
    status = read(call, "sync_status", one_of(*STATUSES))
    state = read(call, "state", str)
    unsynced = read(call, "has_no_sync_commits", parse_bool)
    orders = [name for name in ORDERS if read(call, name, parse_bool)]
    if len(orders) > 1:
        raise invalid("Only one order at a time", {name: ["Only one order at a time."] for name in orders})
    order, reverse = ORDERS[orders[0]] if orders else ("", False)

    def where(row):
        if state is None and row["state"] == "DECLINED" or state not in (None, "ALL", row["state"]):
            return False
        # sync_status, where given, stands above the older has_no_sync_commits, which also leaves out what one-time
        # cards were charged for bills.
        if status is None and unsynced and row.get("_bill"):
            return False
        return status is not None or unsynced is None or (row["sync_status"] != "SYNCED") == unsynced

    return answer(call, "transactions", FILTERS, where, order, reverse, bucket=status, render=_renderer(call))


@route("GET", "/transactions/{transaction_id}", scope="transactions:read")
def detail(call):
    return _renderer(call)(call.row("transactions", "transaction_id"))


@route("PATCH", "/transactions/{transaction_id}", scope="transactions:write")
def split(call):
    row = call.row("transactions", "transaction_id")
    if row["sync_status"] == "SYNCED":
        raise RampError(403, "DEVELOPER_TRANSACTION_SPLIT_NOT_ALLOWED", "The transaction is synced")
    if "line_items" in (call.body or {}):
        wanted = call.body["line_items"] or []
        total = row["_money"]["amount_minor"]
        if wanted and sum(item["amount"] for item in wanted) != total:
            raise RampError(400, "DEVELOPER_TRANSACTION_INTERACTION_FAILED", "The line items do not add up")
        lines = [
            {
                "amount_minor": item["amount"],
                "memo": item.get("memo"),
                "selections": coding.from_request(call.state, item.get("accounting_field_selections")),
            }
            for item in wanted
        ]
        if not wanted:
            # Unsplit: one line again, with the coding of the first.
            lines = [{**row["_money"]["lines"][0], "amount_minor": total}]
        row = change(call.state, row["id"], lines=lines)
    return _renderer(call)(row)


@route("POST", "/accounting/ready-to-sync", scope="accounting:write")
def ready_to_sync(call):
    rows = [call.state["transactions"].get(ident) for ident in call.need("object_ids")]
    if None in rows:
        raise not_found("Transaction")
    synced = {row["id"]: ["Already synced."] for row in rows if row["sync_status"] == "SYNCED"}
    if synced:
        raise invalid("Some transactions are synced", synced)
    for row in rows:
        call.state["transactions"].update(row["id"], sync_status="SYNC_READY", updated_at=call.state.now())
    return None, 204


def _renderer(call):
    return _newer if call.ramp.newer_shape else wire


def _newer(row):
    """The shape of contracts after 2026-08: signed minor amounts beside the deprecated float."""
    body, values = wire(row), row["_money"]
    if "amount" in body:
        body["entity_amount"] = {"value": values["amount_minor"], "currency": values["currency"]}
        body["merchant_amount"] = {"value": values["original_minor"], "currency": values["original_currency"]}
    return body


# -- making

DEFAULT = object()
MORE_FIELDS = {
    "decline_details",
    "fund_id",
    "limit_id",
    "merchant_category_code",
    "merchant_category_code_description",
    "merchant_data",
    "settlement_date",
    "spend_program_id",
    "statement_id",
}


def make(
    store,
    /,
    *,
    amount_minor=None,
    currency=None,
    lines=None,
    account=DEFAULT,
    analytics=None,
    original_minor=None,
    original_currency=None,
    user=None,
    entity=None,
    card_id=None,
    date=None,
    sync_status="SYNC_READY",
    state="CLEARED",
    receipts=0,
    refund_of=None,
    merchant="Office Depot",
    merchant_descriptor=None,
    category=(12, "Office supplies and cleaning"),
    memo=None,
    label=None,
    broken=False,
    **wire_fields,
):
    """A new transaction; returns its row.

    Amounts are minor units of `currency` (default: the entity's), signed.

    :param lines: [{"amount_minor", and as wanted "account", "analytics": {field id: option id}, "memo",
        "currency"}]; None: one line over the whole
    :param account: the client's own id; None leaves the line uncoded; default: the first account there is
    :param original_minor: what the merchant charged, in `original_currency`, if that is another one
    :param user: a row or an id; so is `entity`
    :param date: datetime, date or ISO text of the purchase
    :param receipts: how many
    :param refund_of: id of the original, whose holder, card, merchant and negated amount are the defaults
    :param broken: do not hold the row against the contract
    :param wire_fields: any field of the wire object as it is to be
    """
    original = store["transactions"].rows[refund_of] if refund_of else None
    if original:
        entity = entity or original["entity_id"]
        user = user or original["card_holder"].get("user_id")
        card_id = card_id or original.get("card_id")
        merchant = original["merchant_name"]
        if amount_minor is None:
            amount_minor = -original["_money"]["amount_minor"]
    user = _row(store["users"], user)
    entity = _row(store["entities"], entity) or _entity(store, user, currency)
    user = user or store["users"].find(entity_id=entity["id"]) or next(iter(store["users"]))
    currency = currency or entity["currency"]
    if account is DEFAULT:
        first = next(iter(store["accounts"]), None)
        account = first and first["id"]
    spent = _moment(store, date)
    settled = _settled(store, spent)
    ident = store.new_id()
    row = {
        "id": ident,
        "accounting_categories": [],
        "accounting_date": iso(settled) if state == "CLEARED" else None,
        "accounting_field_selections": [],
        "all_requirements_met_and_approved": sync_status != "NOT_SYNC_READY",
        "attendees": [],
        "card_holder": _holder(store, user),
        "card_id": card_id or store.stable_id("card", user["id"], True, 1),
        "card_present": False,
        "disputes": [],
        "entity_id": entity["id"],
        "memo": memo,
        "merchant_descriptor": merchant_descriptor or (merchant or "").upper()[:22],
        "merchant_id": store.stable_id("merchant", merchant),
        "merchant_location": {"city": "NEW YORK", "country": "USA", "postal_code": "10003", "state": "NY"},
        "merchant_name": merchant,
        "network_merchant_id": None,
        "original_transaction_id": refund_of,
        "policy_violations": [],
        "receipts": [],
        "requires_accounting_vendor_creation_to_sync": False,
        "sk_category_id": category[0],
        "sk_category_name": category[1],
        "state": state,
        "sync_status": sync_status,
        "synced_at": None,
        "trip_id": None,
        "trip_name": None,
        "updated_at": iso(min(settled, store.clock())),
        "user_transaction_time": iso(spent),
        "_label": label,
        "_broken": broken,
    }
    if state == "CLEARED":
        row["settlement_date"] = iso(settled)
    values = {
        "amount_minor": amount_minor,
        "currency": currency,
        "original_minor": original_minor,
        "original_currency": original_currency,
        "lines": lines or [{"amount_minor": amount_minor}],
    }
    values["lines"] = [{"account": account, "analytics": analytics, **line} for line in values["lines"]]
    row.update(_money(store, values))
    if state == "DECLINED":
        row["decline_details"] = {
            "amount": row["amount"],
            "declined_amount": {"value": amount_minor, "currency": currency},
            "reason": "AUTHORIZER_CARD_LIMIT",
        }
    _known(row, wire_fields)
    row.update(wire_fields)
    store["transactions"].add(row)
    for _ in range(receipts):
        add_receipt(store, ident)
    return row


def change(store, ident, /, **changes):
    """Change a transaction after the fact, as people do in Ramp; moves `updated_at`. Returns the row.

    Takes fields of the wire object, and of :func:`make`: amount_minor, currency, lines, original_minor,
    original_currency, account, date, receipts (how many there are to be at least).
    """
    row = store["transactions"].rows[ident]
    values = dict(row["_money"])
    wanted = {name: changes.pop(name) for name in tuple(changes) if name in values}
    if "amount_minor" in wanted and "lines" not in wanted:
        parts = money.split(wanted["amount_minor"], [abs(line["amount_minor"]) for line in values["lines"]])
        wanted["lines"] = [
            {**line, "amount_minor": part} for line, part in zip(values["lines"], parts, strict=True)
        ]
    if "amount_minor" in wanted:
        wanted = {"original_minor": None, "original_currency": None, **wanted}
    if "account" in changes:
        account = changes.pop("account")
        wanted["lines"] = [
            {**line, "account": account, "selections": None} for line in wanted.get("lines", values["lines"])
        ]
    _known(row, changes)
    if wanted:
        changes.update(_money(store, {**values, **wanted}))
    spent = _moment(store, changes.pop("date", row["user_transaction_time"]))
    changes["user_transaction_time"] = iso(spent)
    cleared = changes.get("state", row["state"]) == "CLEARED"
    if cleared and (iso(spent) != row["user_transaction_time"] or row["accounting_date"] is None):
        settled = iso(_settled(store, spent))
        changes = {"accounting_date": settled, "settlement_date": settled, **changes}
    for _ in range(changes.pop("receipts", 0) - len(row["receipts"])):
        add_receipt(store, ident)
    changes.setdefault("updated_at", store.now())
    return store["transactions"].update(ident, **changes)


def recode(store, ident, account):
    return change(store, ident, account=account)


def add_receipt(store, ident, **values):
    """A receipt matched to a transaction; `values` as of `receipts.make`. Returns its row."""
    row = store["transactions"].rows[ident]
    user_id = row["card_holder"].get("user_id")
    receipt = receipts.make(store, user_id, row["user_transaction_time"], transaction_id=ident, **values)
    store["transactions"].update(ident, receipts=[*row["receipts"], receipt["id"]])
    return receipt


def totals(store, sync_status=STATUSES, until=None):
    """Cleared spend per entity and currency in minor units: what the books must say in the end.

    `until`: only purchases before this moment (ISO text).
    Returns [{"entity_id", "currency", "amount_minor", "count"}].
    """
    found = {}
    for row in store["transactions"]:
        if row["state"] != "CLEARED" or row["sync_status"] not in sync_status:
            continue
        if until and row["user_transaction_time"] >= until:
            continue
        values = row["_money"]
        key = row["entity_id"], values["currency"]
        total = found.setdefault(
            key, {"entity_id": key[0], "currency": key[1], "amount_minor": 0, "count": 0}
        )
        total["amount_minor"] += values["amount_minor"]
        total["count"] += 1
    return sorted(found.values(), key=lambda total: (total["entity_id"], total["currency"]))


def _money(store, values):
    """The wire fields that follow from amounts and lines, and `_money`: the amounts as they are meant."""
    minor, currency = values["amount_minor"], values["currency"]
    if values["original_minor"] is None:
        values = {**values, "original_minor": minor, "original_currency": currency}
    original, foreign = values["original_minor"], values["original_currency"]
    lines = values["lines"]
    if foreign == currency:
        shares = [line["amount_minor"] for line in lines]
    else:
        # A line's `amount` is in the merchant's currency then, whatever the contract's text says (seen live);
        # `converted_amount` is what to book.
        shares = money.split(original, [abs(line["amount_minor"]) for line in lines])
    items = []
    for line, share in zip(lines, shares, strict=True):
        line_currency = line.get("currency")
        item = {
            "accounting_field_selections": _selections(store, line),
            "amount": money.amount(share, line_currency or foreign),
            "converted_amount": money.amount(line["amount_minor"], line_currency or currency),
        }
        if line.get("memo"):
            item["memo"] = line["memo"]
        items.append(item)
    return {
        "amount": money.major(minor, currency),
        "currency_code": currency,
        "minor_unit_conversion_rate": money.rate(currency),
        "original_transaction_amount": money.amount(original, foreign),
        "line_items": items,
        "_money": values,
    }


def _selections(store, line):
    if line.get("selections") is not None:
        return line["selections"]
    selections = []
    if line.get("account") is not None:
        selections.append(coding.account(store, str(line["account"])))
    for field_id, option_id in (line.get("analytics") or {}).items():
        selections.append(coding.option(store, field_id, str(option_id)))
    return selections


def _known(row, names):
    """A misspelt argument would else become a field of the object, and the test would test nothing."""
    unknown = set(names) - set(row) - MORE_FIELDS - {"date", "receipts"}
    if unknown:
        raise TypeError(f"A transaction has no {', '.join(sorted(unknown))}")


def _row(table, value):
    return table.rows[value] if isinstance(value, str) else value


def _entity(store, user, currency):
    """The user's entity, if it has that currency; else one that has; else the primary one."""
    own = user and store["entities"].get(user["entity_id"])
    if own and currency in (None, own["currency"]):
        return own
    primary = store["entities"].find(is_primary=True)
    if currency in (None, primary["currency"]):
        return primary
    return store["entities"].find(currency=currency) or primary


def _holder(store, user):
    holder = {"user_id": user["id"], "first_name": user["first_name"], "last_name": user["last_name"]}
    for name in ("department", "location"):
        row = store[name + "s"].get(user[name + "_id"])
        if row:
            holder[name + "_id"], holder[name + "_name"] = row["id"], row["name"]
    if user["employee_id"]:
        holder["employee_id"] = user["employee_id"]
    return holder


def _settled(store, spent):
    """Days after the purchase, but not in the future."""
    return max(spent, min(spent + timedelta(days=1 + spent.toordinal() % 3), store.clock()))


def _moment(store, value):
    if value is None:
        return store.clock() - timedelta(days=3)
    if isinstance(value, str):
        value = datetime.fromisoformat(value.replace("Z", "+00:00"))
    elif isinstance(value, Date) and not isinstance(value, datetime):
        value = datetime.combine(value, time(15, 30))
    return value if value.tzinfo else value.replace(tzinfo=timezone.utc)
