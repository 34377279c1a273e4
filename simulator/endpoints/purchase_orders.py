"""/purchase-orders: what was ordered; what of it was received and billed is worked out when somebody asks.

Nobody has observed, and here it is the harder case: whether an archived order still claims its external id (it does),
whether it can be read by its id (it cannot, only the list has it), whether a vendor without e-mail is refused (it is),
whether a price may be negative (no) or finer than the currency (it is rounded, the line's amount is not made of the
rounded price), whether the last line, or one that was received or billed, can be deleted (no).
"""

import re
from datetime import timedelta
from decimal import Decimal

from .. import coding, money, uploads
from ..errors import RampError, invalid, invalid_field, not_found
from ..listing import Filter, answer, equals, one_of, parse_bool, read, since, until
from ..payables import day, entity_of, moment, refuse_unknown, row_of, selections, small
from ..routes import route
from ..state import Table, iso, wire
from . import bills, vendors

TABLES = {"purchase_orders": Table}
SOURCES = ("ACCOUNTING_PROVIDER", "DEVELOPER_API", "EXTERNAL_IMPORT", "RAMP")
RECEIPT_STATUSES = ("FULLY_RECEIVED", "NOT_RECEIVED", "OVER_RECEIVED", "PARTIALLY_RECEIVED")
FILTERS = {
    "creation_source": equals("creation_source", one_of(*SOURCES)),
    "from_created_at": since("created_at"),
    "to_created_at": until("created_at"),
    "external_id": equals("external_id", str),
    "remote_id": equals("remote_id", str),
    "entity_id": equals("entity_id"),
    "spend_request_id": equals("spend_request_id"),
}
NEEDS = ("currency", "entity_id", "line_items", "three_way_match_enabled")
MAY = (
    "accounting_field_selections", "external_id", "memo", "net_payment_terms", "owner_id", "promise_date",
    "purchase_order_number", "spend_end_date", "spend_start_date", "vendor_id", "withholding_default_rate",
)
CHANGES = ("accounting_field_selections", "memo", "spend_end_date", "spend_start_date", "withholding_default_rate")
LINE_NEEDS = ("unit_price", "unit_quantity")
LINE_MAY = ("accounting_field_selections", "description", "external_id", "withholding_rate")
LINE_CHANGES = ("accounting_field_selections", "description", "unit_price", "unit_quantity", "withholding_rate")
# Of a line as people in Ramp's screens write it.
LINE = {
    "account": None, "analytics": None, "description": None, "end_date": None, "external_id": None, "id": None, "quantity": 1,
    "remote_id": None, "selections": None, "start_date": None, "tax": None, "unit_price": 0, "vendor": None, "withholding_rate": None,
}


# -- routes


@route("GET", "/purchase-orders", scope="purchase_orders:read", plus=True)
def index(call):
    state = call.state
    archived = read(call, "include_archived", parse_bool, False)
    three_way = read(call, "three_way_match_enabled", parse_bool, False if call.ramp.hide_three_way else None)
    filters = {**FILTERS, "receipt_status": Filter(
        one_of(*RECEIPT_STATUSES), lambda row, value: receipt_status(state, row) == value)}

    def where(row):
        return (archived or not row["archived_at"]) and three_way in (None, row["three_way_match_enabled"])

    return answer(call, "purchase_orders", filters, where, render=lambda row: told(state, row))


@route("GET", "/purchase-orders/{purchase_order_id}", scope="purchase_orders:read", plus=True)
def detail(call):
    return _detail(call.state, _order(call))


@route("POST", "/purchase-orders", scope="purchase_orders:write", plus=True)
def create(call):
    body, store = uploads.fields_of(call, NEEDS, MAY), call.state
    entity = _known(store, "entities", body["entity_id"], "Entity")
    vendor = _known(store, "vendors", body.get("vendor_id"), "Vendor")
    owner = _known(store, "users", body.get("owner_id"), "User")
    if vendor and (vendor["_deleted"] or not vendor["is_active"]):
        raise not_found("Vendor")
    if vendor and not vendor["contacts"]:
        raise RampError(400, "DEVELOPER_7001", "The vendor has no contact with an e-mail")
    if body.get("external_id") is not None and store["purchase_orders"].find(external_id=body["external_id"]):
        raise RampError(400, "DEVELOPER_7001", "A purchase order with this external_id exists already")
    lines = _lines(call, body["line_items"], body["currency"])
    number = _number(store, body.get("purchase_order_number"))
    row = make(
        store, entity=entity, vendor=vendor, owner=owner, currency=body["currency"], lines=lines, number=number,
        header=coding.from_request(store, body.get("accounting_field_selections")), source="DEVELOPER_API",
        created=store.clock(), three_way_match=body["three_way_match_enabled"],
        **{name: body.get(name) for name in ("external_id", "memo", "net_payment_terms")},
        **{name: day(body.get(name)) for name in ("promise_date", "spend_start_date", "spend_end_date")},
        withholding_default_rate=_rate(body.get("withholding_default_rate")))
    return told(store, row), 201


@route("PATCH", "/purchase-orders/{purchase_order_id}", scope="purchase_orders:write", plus=True)
def patch(call):
    """Neither number nor vendor, owner, terms or promised day can be changed."""
    body, row = uploads.fields_of(call, (), CHANGES), _approved(call)
    values = {name: body[name] for name in ("memo",) if name in body}
    values.update({name: day(body[name]) for name in ("spend_start_date", "spend_end_date") if name in body})
    if "withholding_default_rate" in body:
        values["withholding_default_rate"] = _rate(body["withholding_default_rate"])
    if "accounting_field_selections" in body:
        values["header"] = coding.from_request(call.state, body["accounting_field_selections"])
    return _detail(call.state, change(call.state, row["id"], **values))


@route("POST", "/purchase-orders/{purchase_order_id}/archive", scope="purchase_orders:write", plus=True)
def remove(call):
    if call.body is None:
        raise RampError(400, "DEVELOPER_7011", "A JSON body is wanted")
    body = uploads.fields_of(call, (), ("archived_reason",))
    archive(call.state, _order(call)["id"], body.get("archived_reason"))
    return None, 204


@route("POST", "/purchase-orders/{purchase_order_id}/line-items", scope="purchase_orders:write", plus=True)
def add_lines(call):
    body, row = uploads.fields_of(call, ("line_items",), ()), _approved(call)
    lines = _lines(call, body["line_items"], row["_money"]["currency"], row["_money"]["lines"])
    return _detail(call.state, change(call.state, row["id"], lines=[*row["_money"]["lines"], *lines])), 201


@route("PATCH", "/purchase-orders/{purchase_order_id}/line-items/{line_item_id}", scope="purchase_orders:write", plus=True)
def patch_line(call):
    body, row = uploads.fields_of(call, (), LINE_CHANGES), _approved(call)
    number = _place(row, call.args["line_item_id"])
    lines = list(row["_money"]["lines"])
    lines[number] = {**lines[number], **_line_values(call, body, row["_money"]["currency"])}
    return _detail(call.state, change(call.state, row["id"], lines=lines))


@route("DELETE", "/purchase-orders/{purchase_order_id}/line-items/{line_item_id}", scope="purchase_orders:write", plus=True)
def delete_line(call):
    row = _approved(call)
    number = _place(row, call.args["line_item_id"])
    total = totals(call.state, row["id"])[number]
    if total["received"] or total["billed_minor"]:
        raise RampError(400, "DEVELOPER_7001", "The line was received or billed")
    if len(row["line_items"]) == 1:
        raise RampError(400, "DEVELOPER_7001", "A purchase order needs a line")
    lines = list(row["_money"]["lines"])
    del lines[number]
    return _detail(call.state, change(call.state, row["id"], lines=lines))


def _order(call):
    row = call.row("purchase_orders", "purchase_order_id")
    if row["archived_at"]:
        raise not_found("Purchase order")
    return row


def _approved(call):
    row = _order(call)
    if not row["_approved"]:
        raise RampError(400, "DEVELOPER_7001", "The purchase order is not approved")
    return row


def _place(row, ident):
    """Where in the order the line with this id is, or Ramp's 404."""
    for number, line in enumerate(row["line_items"]):
        if line["id"] == ident:
            return number
    raise not_found("Line item")


def _known(store, table, ident, what):
    if ident is None:
        return None
    if ident not in store[table]:
        raise not_found(what)
    return store[table].rows[ident]


def _lines(call, items, currency, others=()):
    """Lines of a request as `make` wants them. `others`: those that are there, whose external ids are taken."""
    if not isinstance(items, list) or not items:
        raise invalid_field("line_items", "Shorter than minimum length.")
    wrong = {str(place): found for place, item in enumerate(items) if (found := uploads.complaints(item, LINE_NEEDS, LINE_MAY))}
    if wrong:
        raise invalid("Invalid input", {"line_items": wrong})
    seen = {line["external_id"] for line in others} - {None}
    for item in items:
        if item.get("external_id") in seen:
            raise invalid_field("line_items", f"external_id {item['external_id']} is there already.")
        seen |= {item.get("external_id")} - {None}
    return [{**LINE, "external_id": item.get("external_id"), **_line_values(call, item, currency)} for item in items]


def _line_values(call, item, currency):
    values = {name: item[name] for name in ("description",) if name in item}
    if "unit_quantity" in item:
        values["quantity"] = quantity(item["unit_quantity"])
    if "unit_price" in item:
        # Major units, as a decimal text or a number; the answer has minor ones.
        price = Decimal(str(item["unit_price"])) * money.rate(currency)
        values["unit_price"] = str(price)
        if price < 0:
            raise invalid_field("unit_price", "Must not be negative.")
    if "withholding_rate" in item:
        values["withholding_rate"] = _rate(item["withholding_rate"])
    if "accounting_field_selections" in item:
        values["selections"] = coding.from_request(call.state, item["accounting_field_selections"])
    return values


def quantity(value):
    """A whole number of units, or Ramp's 422."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid_field("unit_quantity", "Not a valid integer.")
    if value < 1:
        raise invalid_field("unit_quantity", "Must be positive.")
    return value


def _rate(value):
    if value is None:
        return None
    if not 0 <= Decimal(str(value)) <= 1:
        raise invalid_field("withholding_rate", "Must be between 0 and 1.")
    return str(value)


# -- numbers


def normalised(number):
    """(prefix, number or None) that Ramp makes of a number, as seen in its sandbox; its guide says nothing of it.

    Ramp's numbers are a prefix, a dash and a whole number; the prefix "PO" goes without saying.
    """
    text = re.sub(r"[^0-9A-Z-]", "", number).strip("-")
    found = re.fullmatch(r"(?:(.*)-)?([A-Z]*?)(\d+)", text)
    if not found:
        return text, None
    prefix = "-".join(filter(None, (found[1], found[2])))
    return ("" if prefix == "PO" else prefix.removeprefix("PO-")), int(found[3])


def _number(store, given):
    """The number an order gets; 400 if another has it. The numbers of archived orders are free again."""
    taken = {row["purchase_order_number"] for row in store["purchase_orders"] if not row["archived_at"]}
    prefix, number = normalised(given or "")

    def text(number):
        return f"{prefix}-{number}" if prefix else str(number)

    if number is None:
        number = 1
        while text(number) in taken:
            number += 1
    elif text(number) in taken:
        raise RampError(400, "DEVELOPER_7063", "The purchase order number exists already")
    return text(number)


# -- over the wire


def told(store, row):
    """The order as lists and creation answer it, with what follows from receipts and bills."""
    receipts = received_on(store, row["id"])
    return {
        **wire(row),
        "bill_ids": [bill["id"] for bill in billed_on(store, row)],
        "billing_status": billing_status(store, row),
        "item_receipt_ids": [receipt["id"] for receipt in receipts],
        "receipt_status": receipt_status(store, row),
    }


def _detail(store, row):
    body = told(store, row)
    lines = [{**line, "custom_field_values": []} for line in body["line_items"]]
    return {**body, "line_items": lines, "custom_form_collection_response": None}


def received_on(store, ident):
    """The receipts of an order that were not deleted."""
    return [row for row in store["item_receipts"].named(ident) if not row["archived_at"]]


def billed_on(store, row):
    """The bills of an order that are not archived."""
    among = store["bills"].named(row["vendor_id"]) if row["vendor_id"] else store["bills"]
    return [bill for bill in among if bill["purchase_order_id"] == row["id"] and not bill["archived_at"]]


def totals(store, ident):
    """What of each line was received and billed, in order: [{"id", "external_id", "ordered", "received", "billed_minor"}].

    A receipt without a quantity is of the whole line.
    """
    row = store["purchase_orders"].rows[ident]
    found = {line["id"]: {
        "id": line["id"], "external_id": line["external_id"], "ordered": line["quantity"], "received": 0,
        "billed_minor": 0} for line in row["line_items"]}
    for receipt in received_on(store, ident):
        for line in receipt["line_items"]:
            total = found.get(line["purchase_order_line_item_id"])
            if total:
                total["received"] += total["ordered"] if line["quantity"] is None else line["quantity"]
    for bill in billed_on(store, row):
        for line in [*bill["line_items"], *bill["inventory_line_items"]]:
            total = found.get(line["purchase_order_line_item_id"])
            if total:
                total["billed_minor"] += line["amount"]["amount"]
    return list(found.values())


def receipt_status(store, row):
    lines = totals(store, row["id"])
    if not any(line["received"] for line in lines):
        return "NOT_RECEIVED"
    if any(line["received"] > line["ordered"] for line in lines):
        return "OVER_RECEIVED"
    return "FULLY_RECEIVED" if all(line["received"] == line["ordered"] for line in lines) else "PARTIALLY_RECEIVED"


def billing_status(store, row):
    """By amounts: a bill counts as a whole, whether its lines name those of the order or not."""
    if row["archived_at"]:
        return "DELETED"
    if row["_closed"]:
        return "CLOSED"
    billed = sum(bill["_money"]["amount_minor"] for bill in billed_on(store, row))
    if not billed:
        return "OPEN"
    return "FULLY_BILLED" if billed >= row["amount"]["amount"] else "PARTIALLY_BILLED"


# -- making


def make(
    store,
    /,
    *,
    vendor=None,
    entity=None,
    owner=None,
    currency=None,
    lines=({"unit_price": 10000},),
    header=(),
    number=None,
    source="RAMP",
    three_way_match=False,
    approved=True,
    created=None,
    label=None,
    broken=False,
    **wire_fields,
):
    """A new purchase order; returns its row.

    :param vendor: a row, an id, or the name of one that is there or is to be made; None: none
    :param currency: default: the entity's
    :param lines: [{"unit_price" (minor units, a fraction of them too), "quantity", and as wanted "description",
        "external_id", "account", "tax", "vendor", "analytics", "selections", "withholding_rate", "start_date",
        "end_date", "remote_id"}]
    :param header: selections that code the order as a whole
    :param number: as it is to be; None: the next one
    :param source: one of SOURCES
    :param three_way_match: receipts follow
    :param approved: not yet: it cannot be changed from outside
    :param broken: do not hold the row against the contract
    :param wire_fields: any field of the wire object as it is to be
    """
    vendor = vendors.find(store, vendor) if vendor is not None else None
    entity = entity_of(store, entity, currency)
    owner = row_of(store["users"], owner) or next(iter(store["users"]), None)
    ident, ours = store.new_id(), source == "RAMP"
    row = {
        "id": ident,
        "accounting_field_selections": small(header),
        "archived_at": None,
        "created_at": iso(moment(created) if created else store.clock() - timedelta(days=10)),
        "creation_source": source,
        "entity_id": entity["id"],
        "external_id": None,
        "memo": None,
        "name": None,
        "net_payment_terms": None,
        "owner_id": owner and owner["id"],
        "promise_date": None,
        "purchase_order_number": _number(store, None) if number is None else number,
        "ramp_url": f"https://app.ramp.com/s/procurement/purchase-orders/{ident}",
        "remote_id": None,
        "ship_to_address": None,
        "ship_to_company_name": None,
        "shipping_contact_email": None,
        "shipping_contact_first_name": None,
        "shipping_contact_last_name": None,
        "shipping_contact_phone_number": None,
        "spend_end_date": None,
        "spend_program_id": None,
        "spend_request_id": store.stable_id("spend request", ident),
        "spend_start_date": None,
        "three_way_match_enabled": three_way_match,
        "transaction_ids": [],
        "user_id": owner["id"] if ours and owner else None,
        "vendor_id": vendor and vendor["id"],
        "withholding_default_rate": None,
        "_approved": approved,
        "_closed": False,
        "_archived_reason": None,
        "_label": label,
        "_broken": broken,
    }
    row.update(_money(store, {"currency": currency or entity["currency"], "lines": [_full(line) for line in lines]}))
    refuse_unknown("A purchase order", row, wire_fields)
    return store["purchase_orders"].add({**row, **wire_fields})


def change(store, ident, /, **changes):
    """Change an order, as people do in Ramp; nothing in it tells when. Returns the row.

    Takes fields of the wire object, and of :func:`make`: lines, currency, header, vendor, number, approved; `closed`:
    no more bills. Lines keep their ids by "id", else by their place.
    """
    row = store["purchase_orders"].rows[ident]
    values = dict(row["_money"])
    wanted = {name: changes.pop(name) for name in tuple(changes) if name in values}
    if "lines" in wanted:
        kept = [line["id"] for line in values["lines"]] if len(wanted["lines"]) == len(values["lines"]) else []
        wanted["lines"] = [
            _full({**line, "id": line.get("id") or (kept[number] if kept else None)}) for number, line in enumerate(wanted["lines"])]
    if "header" in changes:
        changes["accounting_field_selections"] = small(changes.pop("header"))
    if "vendor" in changes:
        changes["vendor_id"] = vendors.find(store, changes.pop("vendor"))["id"]
    for name, key in (("approved", "_approved"), ("closed", "_closed"), ("number", "purchase_order_number")):
        if name in changes:
            changes[key] = changes.pop(name)
    refuse_unknown("A purchase order", row, changes, ("_approved", "_closed"))
    if wanted:
        changes.update(_money(store, {**values, **wanted}))
    return store["purchase_orders"].update(ident, **changes)


def archive(store, ident, /, reason=None):
    """The order is gone, but for the list that asks for archived ones; its number is free. Returns the row."""
    return store["purchase_orders"].update(ident, archived_at=store.now(), _archived_reason=reason)


def bill(store, ident, /, quantities=None, **values):
    """A bill of the order, line by line, matched with it and with its receipts; returns the bill's row.

    :param quantities: {line id: quantity}; default: all that was ordered
    :param values: of `bills.make`
    """
    row = store["purchase_orders"].rows[ident]
    receipts = received_on(store, ident)
    lines = []
    for line, wanted in zip(row["_money"]["lines"], row["line_items"], strict=True):
        count = wanted["quantity"] if quantities is None else quantities.get(wanted["id"])
        if count:
            lines.append({
                "amount_minor": extended(line, count), "memo": wanted["description"],
                "selections": selections(store, line), "purchase_order_line_item_id": wanted["id"],
                "item_receipt_line_item_ids": [
                    item["id"] for receipt in receipts for item in receipt["line_items"]
                    if item["purchase_order_line_item_id"] == wanted["id"]]})
    return bills.make(store, **{
        "vendor": row["vendor_id"], "entity": row["entity_id"], "currency": row["_money"]["currency"], "lines": lines,
        "purchase_order_id": ident, "item_receipt_ids": [receipt["id"] for receipt in receipts], **values})


def extended(line, count):
    """Minor units that so many units of a line (of `_money`) cost; prices may be finer than the currency."""
    return round(Decimal(line["unit_price"]) * count)


def _full(line):
    refuse_unknown("A line of a purchase order", LINE, line)
    return {**LINE, **line, "unit_price": str(line.get("unit_price", 0))}


def _money(store, values):
    """The wire fields that follow from the lines, and `_money`: prices as they are meant, in minor units."""
    currency = values["currency"]
    values = {**values, "lines": [{**line, "id": line["id"] or store.new_id()} for line in values["lines"]]}
    items = [{
        "id": line["id"],
        "accounting_field_selections": small(selections(store, line)),
        "amount": money.amount(extended(line, line["quantity"]), currency),
        "quantity": line["quantity"],
        "unit_price": money.amount(extended(line, 1), currency),
        **{name: line[name] for name in ("description", "end_date", "external_id", "remote_id", "start_date", "withholding_rate")},
    } for line in values["lines"]]
    total = money.amount(sum(item["amount"]["amount"] for item in items), currency)
    return {"amount": total, "spend_total_amount": total, "line_items": items, "_money": values}
