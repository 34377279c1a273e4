"""/bills: invoices of vendors, with their payments nested inside; payments have no endpoint of their own.

A bill goes to the books twice: itself (BILL_SYNC) and, once it is paid, its payment (BILL_PAYMENT_SYNC, under the
bill's id). It keeps all its payments (`_payments`), of which Ramp tells one: the first that is not a vendor credit.
Which one it tells after a payment failed nobody has observed: here the failed one, until there is another.
"""

from datetime import timedelta
from decimal import Decimal

from werkzeug.wrappers import Response

from .. import files, money
from ..errors import RampError
from ..listing import Filter, answer, equals, one_of, parse_bool, parse_decimal, parse_uuid, read, since, until
from ..payables import (
    DEFAULT,
    coded,
    convert,
    day,
    entity_of,
    is_coded,
    many,
    moment,
    parse_day,
    quote,
    refuse_unknown,
    row_of,
    selections,
    small,
    spread,
    unless_false,
    without_empty,
)
from ..routes import route
from ..state import Table, iso, wire
from . import syncs, transactions, vendors

TABLES = {
    "bills": lambda: Table(index="sync_status", name=lambda row: row["vendor"]["id"]),
    "invoices": Table,
}
STATUSES = ("BILL_AND_PAYMENT_SYNCED", "BILL_SYNCED", "NOT_SYNCED")
APPROVALS = ("APPROVED", "INITIALIZED", "PENDING", "REJECTED", "TERMINATED")
CARD_METHODS = ("AUTOMATIC_CARD_PAYMENT", "CARD", "ONE_TIME_CARD", "ONE_TIME_CARD_DELIVERY")
METHODS = (
    "ACH", *CARD_METHODS, "CHECK", "CRYPTO_WALLET_TRANSFER", "DOMESTIC_WIRE", "FED_NOW", "INTERNATIONAL",
    "LOCAL_BANK_TRANSFER", "PAID_MANUALLY", "RTP", "SWIFT", "UNSPECIFIED", "VENDOR_CREDIT",
)
FILTERED_METHODS = (
    "ACH", "CARD", "CHECK", "CRYPTO_WALLET_TRANSFER", "DOMESTIC_WIRE", "INTERNATIONAL", "LOCAL_BANK_TRANSFER",
    "ONE_TIME_CARD", "ONE_TIME_CARD_DELIVERY", "PAID_MANUALLY", "SWIFT",
)
SUMMARIES = (
    "APPROVAL_PENDING", "APPROVAL_REJECTED", "ARCHIVED", "AWAITING_RELEASE", "BLOCKED", "HELD_BY_PROVIDER", "ON_HOLD",
    "PAYMENT_COMPLETED", "PAYMENT_DETAILS_MISSING", "PAYMENT_ERROR", "PAYMENT_NOT_INSTRUCTED", "PAYMENT_PROCESSING",
    "PAYMENT_READY", "PAYMENT_SCHEDULED", "PENDING_VENDOR_APPROVAL", "WAITING_FOR_TRANSACTION_MATCH",
    "WAITING_FOR_VENDOR",
)
PAYMENT_STATES = ("scheduled", "processing", "completed", "failed", "cancelled")
# Left out where empty; the contract does not know null for them (its own example has it: see `nulls` of `make`).
OPTIONAL = (
    "deep_link_url", "invoice_number", "memo", "paid_at", "posting_date", "purchase_order_id", "remote_id", "vendor_memo",
)


def _payment(row, name):
    return (row["payment"] or {}).get(name)


def _by_payment_date(compare):
    """Not supported for card payments, says the contract."""
    def test(row, value):
        at = _payment(row, "payment_date")
        return bool(at) and row["payment"]["payment_method"] not in CARD_METHODS and compare(at[:10], value)
    return Filter(parse_day, test)


def _by_amount(compare):
    """In major units: that, nobody has observed."""
    return Filter(parse_decimal, lambda row, value: compare(
        Decimal(row["_money"]["amount_minor"]) / money.rate(row["_money"]["currency"]), value))


FILTERS = {
    "entity_id": equals("entity_id"),
    "customer_friendly_payment_id": Filter(str, lambda row, value: _payment(row, "customer_friendly_payment_id") == value),
    "draft_bill_id": equals("draft_bill_id"),
    "invoice_number": equals("invoice_number", str),
    "remote_id": equals("remote_id", str),
    "accounting_field_selection_id": Filter(
        parse_uuid, lambda row, value: is_coded(row, value, "line_items", "inventory_line_items")),
    "status_summaries": Filter(many(one_of(*SUMMARIES)), lambda row, values: row["status_summary"] in values),
    "payment_id": Filter(parse_uuid, lambda row, value: _payment(row, "id") == value),
    "is_accounting_sync_enabled": equals("enable_accounting_sync", parse_bool),
    "approval_status": equals("approval_status", one_of(*APPROVALS)),
    "payment_method": Filter(one_of(*FILTERED_METHODS), lambda row, value: _payment(row, "payment_method") == value),
    "payment_status": equals("status", one_of("OPEN", "PAID")),
    "sync_ready": unless_false(lambda row: "ready" in (BILL.status(row), PAYMENT.status(row))),
    "payment_details_missing": unless_false(lambda row: row["status_summary"] == "PAYMENT_DETAILS_MISSING"),
    "from_created_at": since("created_at"),
    "to_created_at": until("created_at"),
    "from_due_date": since("due_at"),
    "to_due_date": until("due_at"),
    "from_issued_date": since("issued_at"),
    "to_issued_date": until("issued_at"),
    "from_paid_at": since("paid_at"),
    "to_paid_at": until("paid_at"),
    "from_payment_date": _by_payment_date(lambda at, value: at >= value),
    "to_payment_date": _by_payment_date(lambda at, value: at <= value),
    "min_amount": _by_amount(lambda amount, value: amount >= value),
    "max_amount": _by_amount(lambda amount, value: amount <= value),
}


# -- syncs


class _BillTarget(syncs.SyncTarget):
    """The bill itself. Synced ones show a link into the books, if the client gave one."""

    done_as = ("BILL_SYNCED", "BILL_AND_PAYMENT_SYNCED")

    def status(self, row):
        if row["sync_status"] in self.done_as:
            return "done"
        if row["archived_at"]:
            return "ARCHIVED"
        if row["approval_status"] != "APPROVED":
            return row["approval_status"] or "NOT_APPROVED"
        if not row["enable_accounting_sync"]:
            return "SYNC_DISABLED"
        return self.ready_to(row)

    def ready_to(self, row):
        return "ready"

    def accept(self, state, row, item):
        values = {"deep_link_url": item["deep_link_url"]} if item.get("deep_link_url") else {}
        status = self.done_as[-1] if row["sync_status"] == "BILL_AND_PAYMENT_SYNCED" else self.done_as[0]
        state["bills"].update(row["id"], sync_status=status, _synced_at=state.now(), **values)


class _PaymentTarget(_BillTarget):
    """The payment of a bill that is in the books and fully paid."""

    done_as = ("BILL_AND_PAYMENT_SYNCED",)

    def ready_to(self, row):
        return "ready" if row["sync_status"] == "BILL_SYNCED" and row["status"] == "PAID" else row["status"]


BILL = syncs.TARGETS["BILL_SYNC"] = _BillTarget("bills")
PAYMENT = syncs.TARGETS["BILL_PAYMENT_SYNC"] = _PaymentTarget("bills")


# -- routes


@route("GET", "/bills", scope="bills:read")
def index(call):
    archived = read(call, "is_archived", parse_bool, False)
    status = read(call, "sync_status", one_of(*STATUSES))
    vendor = read(call, "vendor_id", parse_uuid)
    rows = None
    if vendor:
        rows = [row for row in call.state["bills"].named(vendor) if status in (None, row["sync_status"])]

    def where(row):
        return bool(row["archived_at"]) == archived and vendor in (None, row["vendor"]["id"])

    return answer(call, "bills", FILTERS, where, bucket=status, render=_renderer(call), among=rows)


@route("GET", "/bills/{bill_id}", scope="bills:read")
def detail(call):
    return _renderer(call, with_trace=True)(call.row("bills", "bill_id"))


@route("DELETE", "/bills/{bill_id}", scope="bills:write")
def delete(call):
    row = call.row("bills", "bill_id")
    try:
        archive(call.state, row["id"])
    except ValueError as error:
        raise RampError(400, "DEVELOPER_7001", str(error)) from None
    return None, 204


@route("GET", "/bills/{bill_id}/remittance-receipt", scope="bills:read")
def remittance_receipt(call):
    row = call.row("bills", "bill_id")
    if row["status"] != "PAID":
        raise RampError(400, "DEVELOPER_7001", "The bill is not paid")
    text = [f"Remittance for {row['invoice_number'] or row['id']}", f"Payment {_payment(row, 'id')}"]
    return Response(files.content({"id": row["id"], "_kind": "pdf", "_text": text})[1], content_type="application/pdf")


def _renderer(call, with_trace=False):
    state = call.state

    def render(row):
        body = wire(row) if row["_nulls"] else without_empty(wire(row), OPTIONAL)
        body["vendor"] = vendors.told(state, row["vendor"]["id"], row["vendor"])
        body["invoice_urls"] = [files.url(call, state["invoices"].rows[ident], "invoices") for ident in row["_invoices"]]
        shown = _shown(row)
        if with_trace and shown and shown["trace"]:
            body["payment"] = {**body["payment"], "trace_id": shown["trace"]}
        return body

    return render


# -- making


def make(
    store,
    /,
    *,
    vendor=None,
    amount_minor=None,
    currency=None,
    lines=None,
    inventory=(),
    account=DEFAULT,
    analytics=None,
    entity=None,
    owner=None,
    date=None,
    due=None,
    posting_date=None,
    created=None,
    payment_method="ACH",
    approval_status="APPROVED",
    sync_status="NOT_SYNCED",
    fx_conversion_rate=None,
    header=(),
    invoices=1,
    held=False,
    nulls=False,
    label=None,
    broken=False,
    **wire_fields,
):
    """A new bill; returns its row. Pay it with :func:`pay`.

    Amounts are minor units of `currency`, which is that of the invoice (default: the entity's).

    :param vendor: a row, an id, or the name of one that is there or is to be made; None: the first one
    :param amount_minor: default: what the lines of both kinds come to
    :param lines: [{"amount_minor", and as wanted "account", "tax", "vendor", "analytics": {field id: option id},
        "selections", "memo", "currency", "purchase_order_line_item_id", "item_receipt_line_item_ids",
        "withheld_minor"}]; None: one line over what the inventory leaves of the whole
    :param inventory: the same with "quantity", "unit_price_minor" and perhaps no "amount_minor"
    :param account: the client's own id; None leaves lines uncoded; default: the first account there is
    :param date: datetime, date or ISO text of the invoice; `due` likewise (default: 30 days later)
    :param payment_method: how it is meant to be paid; UNSPECIFIED: nobody said yet, there is no payment
    :param fx_conversion_rate: from the invoice's to the payer's (the entity's) currency; default: that of the day, as it were
    :param header: selections that code the bill as a whole, as of `coding.account` and its likes
    :param invoices: how many files, or [{"kind", "filename"}]
    :param held: on hold
    :param nulls: answer null for empty optional fields, as Ramp's own example does against its schema
    :param broken: do not hold the row against the contract
    :param wire_fields: any field of the wire object as it is to be
    """
    vendor = vendors.find(store, vendor)
    entity = entity_of(store, entity, currency)
    currency = currency or entity["currency"]
    inventory = [{"amount_minor": round(Decimal(str(line["quantity"])) * line["unit_price_minor"]), **line} for line in inventory]
    stocked = sum(line["amount_minor"] for line in inventory)
    if lines is None:
        if amount_minor is None and not inventory:
            raise TypeError("A bill needs amount_minor, lines or inventory")
        rest = stocked if amount_minor is None else amount_minor
        lines = [{"amount_minor": rest - stocked}] if rest != stocked or not inventory else []
    if amount_minor is None:
        amount_minor = stocked + sum(line["amount_minor"] for line in lines)
    issued = moment(date or store.clock() - timedelta(days=10))
    owner = row_of(store["users"], owner) or store["users"].find(entity_id=entity["id"]) or next(iter(store["users"]))
    ident = store.new_id()
    row = {
        "id": ident,
        "accounting_date": day(posting_date or issued),
        "accounting_field_selections": small(header),
        "applied_vendor_credits": [],
        "approval_status": approval_status,
        "archived_at": None,
        "bill_owner": {"id": owner["id"], "first_name": owner["first_name"], "last_name": owner["last_name"]},
        "created_at": iso(min(moment(created) if created else issued + timedelta(hours=9), store.clock())),
        "deep_link_url": None,
        "draft_bill_created_at": None,
        "draft_bill_id": None,
        "due_at": day(due or issued + timedelta(days=30)),
        "enable_accounting_sync": True,
        "entity_id": entity["id"],
        "fx_conversion_rate": str(quote(currency, entity["currency"]) if fx_conversion_rate is None else fx_conversion_rate),
        "invoice_number": f"INV-{ident[:8].upper()}",
        "invoice_urls": [],
        "is_withholding_release": False,
        "issued_at": day(issued),
        "item_receipt_ids": [],
        "memo": None,
        "paid_at": None,
        "posting_date": day(posting_date),
        "purchase_order_id": None,
        "remote_id": None,
        "sync_status": sync_status,
        "vendor": {"id": vendor["id"], "name": vendor["name"]},
        "vendor_contact_id": next(iter(vendor["contacts"]), None),
        "vendor_memo": None,
        "_invoices": [],
        "_method": payment_method,
        "_payments": [],
        "_held": held,
        "_summary": None,
        "_synced_at": None,
        "_nulls": nulls,
        "_label": label,
        "_broken": broken or nulls,
    }
    row.update(_money(store, {
        "amount_minor": amount_minor, "currency": currency,
        "lines": coded(store, lines, account, analytics), "inventory": coded(store, inventory, account, analytics)}))
    row.update(_standing(row))
    refuse_unknown("A bill", row, wire_fields)
    row.update(wire_fields, **{"_summary": wire_fields["status_summary"]} if "status_summary" in wire_fields else {})
    store["bills"].add(row)
    for values in [{}] * invoices if isinstance(invoices, int) else invoices:
        add_invoice(store, ident, **values)
    return row


def change(store, ident, /, **changes):
    """Change a bill after the fact, as people do in Ramp; nothing in a bill tells when. Returns the row.

    Takes fields of the wire object, and of :func:`make`: amount_minor, currency, lines, inventory, account, date,
    due, header, vendor, payment_method, held; `invoices`: how many there are to be at least. A
    status_summary given here stays until it is given as None, or a payment moves.
    """
    row = store["bills"].rows[ident]
    values = dict(row["_money"])
    wanted = {name: changes.pop(name) for name in tuple(changes) if name in values}
    if "amount_minor" in wanted and not {"lines", "inventory"} & set(wanted):
        stocked = sum(line["amount_minor"] for line in values["inventory"])
        wanted["lines"] = spread(values["lines"] or [{"amount_minor": 0}], wanted["amount_minor"] - stocked)
    elif wanted and "amount_minor" not in wanted:
        wanted["amount_minor"] = sum(
            line["amount_minor"] for name in ("lines", "inventory") for line in wanted.get(name, values[name]))
    if "account" in changes:
        account = changes.pop("account")
        for name in ("lines", "inventory"):
            wanted[name] = [{**line, "account": account, "selections": None} for line in wanted.get(name, values[name])]
    for name, field in (("date", "issued_at"), ("due", "due_at")):
        if name in changes:
            changes[field] = day(changes.pop(name))
    for name in ("posting_date", "issued_at"):
        if changes.get(name):
            changes[name] = changes["accounting_date"] = day(changes[name])
    if "header" in changes:
        changes["accounting_field_selections"] = small(changes.pop("header"))
    if "vendor" in changes:
        vendor = vendors.find(store, changes.pop("vendor"))
        changes["vendor"] = {"id": vendor["id"], "name": vendor["name"]}
    for name, key in (("payment_method", "_method"), ("held", "_held"), ("status_summary", "_summary")):
        if name in changes:
            changes[key] = changes.pop(name)
    count = changes.pop("invoices", 0)
    refuse_unknown("A bill", row, changes, ("_method", "_held", "_summary"))
    if wanted:
        changes.update(_money(store, {**values, **wanted}))
    new = {**row, **changes}
    row = store["bills"].update(ident, **changes, **{key: value for key, value in _standing(new).items() if key not in changes})
    for _ in range(count - len(row["_invoices"])):
        add_invoice(store, ident)
    return row


def add_invoice(store, ident, /, kind="pdf", filename=None, text=None):
    """A file of the invoice; returns its row. `kind`: pdf, png, jpg, xml, or zip, which nobody wants."""
    row = store["bills"].rows[ident]
    total = f"{row['_money']['amount_minor']} {row['_money']['currency']}"
    lines = text or [row["vendor"]["name"], f"Invoice {row['invoice_number']}", total]
    if row["_invoices"] and not text:
        lines.append(f"Attachment {len(row['_invoices'])}")  # two files of a bill are not the same
    made = store["invoices"].add({"id": store.new_id(), "_kind": kind, "_filename": filename, "_text": lines})
    store["bills"].update(ident, _invoices=[*row["_invoices"], made["id"]])
    return made


def archive(store, ident, /):
    """What deleting is called in Ramp: payments on their way are cancelled. Returns the row."""
    row = store["bills"].rows[ident]
    going = {item["id"] for item in row["_payments"] if item["state"] not in ("failed", "cancelled")}
    if row["status"] == "PAID":
        raise ValueError("The bill is paid")
    if any(item["id"] in going for other in store["bills"] if other is not row for item in other["_payments"]):
        raise ValueError("The bill is in a batch payment")
    payments = [
        {**item, "state": "cancelled"} if item["state"] in ("scheduled", "processing") else item for item in row["_payments"]]
    changes = {"archived_at": store.now(), "_payments": payments, "_summary": None}
    return store["bills"].update(ident, **changes, **_standing({**row, **changes}))


# -- paying


def pay(
    store,
    idents,
    /,
    *,
    status="completed",
    amount_minor=None,
    method=None,
    date=None,
    payment_id=None,
    manual_method="OTHER",
    transaction=None,
    settled_minor=None,
    in_payer_currency=False,
    fx_conversion_rate=None,
    same_day=False,
    source=None,
    new=False,
):
    """Move the payment of a bill on, or make one; of several bills (a list): one batch. Returns the payment's id.

    What was scheduled or is processing moves on to `status`, keeping its id; "failed" or "cancelled" also undo what
    was completed. In all other cases, or with `new`, there is a new payment: for the rest, after a failure...

    :param status: scheduled, processing, completed, failed or cancelled
    :param amount_minor: a part, in the bill's currency; default: what is open
    :param method: one of METHODS; default: as the bill says
    :param date: when it is (to be) initiated; default: now
    :param payment_id: of a payment that takes in further bills; or the id the new one is to have
    :param transaction: for card methods, the transaction's id or ids; True: make one; False: none is known yet;
        None: an id that /transactions does not know
    :param settled_minor: what left the entity's account, in its currency; `in_payer_currency`: the same, computed
        by the bill's rate. Else the payment is told in the bill's currency
    :param fx_conversion_rate: the bill's rate from now on
    :param source: the bank account that it leaves, one that the entity pays from; default: the entity's own choice
    """
    if status not in PAYMENT_STATES:
        raise ValueError(f"Unknown status {status}; there are {', '.join(PAYMENT_STATES)}")
    several = [idents] if isinstance(idents, str) else list(idents)
    rows = [store["bills"].rows[ident] for ident in several]
    last = rows[0]["_payments"][-1] if rows[0]["_payments"] else None
    if not payment_id and not new and last and _moves(last, status):
        payment_id = last["id"]
    payment_id = payment_id or store.new_id()
    at = day(date) if date else None
    for row in rows:
        if fx_conversion_rate is not None:
            row = store["bills"].update(row["id"], fx_conversion_rate=str(fx_conversion_rate))
        payments = list(row["_payments"])
        place = next((i for i, item in enumerate(payments) if item["id"] == payment_id and not new), None)
        if place is None:
            minor = open_minor(row) if amount_minor is None else amount_minor
            item = _new_payment(store, row, payment_id, method or row["_method"], minor, manual_method, same_day)
            place = len(payments)
            payments.append(item)
        item = payments[place]
        item = {**item, "state": status}
        if source:
            entity = store["entities"].rows[row["entity_id"]]
            if not item["friendly"] or source not in [account["id"] for account in entity["payment_accounts"]]:
                raise ValueError(f"Nothing is paid by {item['method']} from the bank account {source} of {entity['entity_name']}")
            item["source"] = source
        if at or not item["scheduled"]:
            item["scheduled"] = at or day(store.clock())
        if status in ("processing", "completed", "failed"):
            item["effective"] = item["effective"] or item["scheduled"]
        if status == "completed":
            item["completed"] = iso(min(store.clock(), moment(item["scheduled"]) + timedelta(days=1)))
        if item["method"] in CARD_METHODS and status == "completed":
            item = _charged(store, row, item, transaction)
        currency = store["entities"].rows[row["entity_id"]]["currency"]
        if settled_minor is not None or in_payer_currency:
            minor = settled_minor if settled_minor is not None else convert(
                item["amount_minor"], row["_money"]["currency"], row["fx_conversion_rate"], currency)
            item["told"] = money.amount(minor, currency)
        payments[place] = item
        changes = {"_payments": payments, "_method": item["method"], "_summary": None}
        store["bills"].update(row["id"], **changes, **_standing({**row, **changes}))
    return payment_id


def open_minor(row):
    """What is left to pay of a bill, after credits and completed payments."""
    paid = sum(item["amount_minor"] for item in row["_payments"] if item["state"] == "completed")
    return row["_money"]["amount_minor"] - _credited(row) - paid


def settle(store, ident):
    """Work out again where the bill stands, after a credit was applied."""
    row = store["bills"].rows[ident]
    return store["bills"].update(ident, **_standing(row))


def _moves(item, status):
    if item["state"] in ("scheduled", "processing"):
        return True
    return item["state"] == "completed" and status in ("failed", "cancelled")


def _new_payment(store, row, ident, method, minor, manual_method, same_day):
    if method not in METHODS or method in ("UNSPECIFIED", "VENDOR_CREDIT"):
        raise ValueError(f"A bill cannot be paid by {method}")
    bank = method not in CARD_METHODS and method != "PAID_MANUALLY"
    account = next(store["vendor_accounts"].walk(bucket=row["vendor"]["id"]), None)
    digits = f"{int(ident[-12:], 16):015}"[-15:]
    return {
        "id": ident,
        "method": method,
        "amount_minor": minor,
        "told": None,
        "scheduled": None,
        "effective": None,
        "completed": None,
        "friendly": ident.replace("-", "")[:10].upper() if bank else None,
        "manual_method": manual_method if method == "PAID_MANUALLY" else None,
        "fund_id": store.stable_id("fund", row["id"]) if method in CARD_METHODS else None,
        "transaction_ids": [],
        "same_day": same_day,
        "source": store.stable_id("bank account", row["entity_id"]) if bank else None,
        "account": account["id"] if account and bank and method != "CHECK" else None,
        "trace": {"descriptor": "Check Number" if method == "CHECK" else f"{method} Trace ID", "trace_id": digits} if bank else None,
    }


def _charged(store, row, item, transaction):
    """The payment with the card transactions that made it."""
    if transaction is None:
        found = item["transaction_ids"] or [store.stable_id("card transaction of", item["id"])]
    elif transaction is True:
        entity = store["entities"].rows[row["entity_id"]]
        foreign = row["_money"]["currency"]
        minor = convert(item["amount_minor"], foreign, row["fx_conversion_rate"], entity["currency"]) if (
            foreign != entity["currency"]) else item["amount_minor"]
        charge = transactions.make(
            store, amount_minor=minor, currency=entity["currency"], entity=entity, merchant=row["vendor"]["name"],
            user=store["users"].get(row["bill_owner"]["id"]), date=item["scheduled"], memo=f"Bill {row['invoice_number']}",
            **{"original_minor": item["amount_minor"], "original_currency": foreign} if foreign != entity["currency"] else {})
        # One-time cards exist for one bill only: has_no_sync_commits leaves out what they were charged.
        store["transactions"].update(charge["id"], _bill=row["id"] if item["method"].startswith("ONE_TIME") else None)
        found = [charge["id"]]
    else:
        found = [transaction] if isinstance(transaction, str) else list(transaction or ())
    settled = [store["transactions"].rows[ident].get("settlement_date") for ident in found if ident in store["transactions"]]
    return {**item, "transaction_ids": found, "scheduled": max(filter(None, settled), default=item["scheduled"])}


# -- where a bill stands


def _credited(row):
    return sum(item["amount"]["amount"] for item in row["applied_vendor_credits"])


def _shown(row):
    """The one payment that Ramp tells: the first that came to something, else the last that failed; or None."""
    good = [item for item in row["_payments"] if item["state"] not in ("failed", "cancelled")]
    bad = [item for item in row["_payments"] if item["state"] == "failed"]
    return good[0] if good else bad[-1] if bad else None


def _standing(row):
    """The wire fields that follow from payments, credits, approval and archiving."""
    completed = [item for item in row["_payments"] if item["state"] == "completed"]
    covered = _credited(row) + sum(item["amount_minor"] for item in completed)
    paid = bool(completed or row["applied_vendor_credits"]) and covered >= row["_money"]["amount_minor"]
    moments = [item["completed"] for item in completed]
    return {
        "status": "PAID" if paid else "OPEN",
        "paid_at": (row["paid_at"] or max(moments, default=row["created_at"])) if paid else None,
        "payment": _told(row),
        "status_summary": row["_summary"] or _summary(row, paid),
    }


def _summary(row, paid):
    states = [item["state"] for item in row["_payments"]]
    if row["archived_at"]:
        return "ARCHIVED"
    if row["approval_status"] in ("REJECTED", "TERMINATED"):
        return "APPROVAL_REJECTED"
    if row["approval_status"] != "APPROVED":
        return "APPROVAL_PENDING"
    if paid:
        return "PAYMENT_COMPLETED"
    if row["_held"]:
        return "ON_HOLD"
    for state, summary in (("processing", "PAYMENT_PROCESSING"), ("scheduled", "PAYMENT_SCHEDULED")):
        if state in states:
            return summary
    if states[-1:] == ["failed"]:
        return "PAYMENT_ERROR"
    if row["_method"] == "UNSPECIFIED":
        return "PAYMENT_DETAILS_MISSING"
    return "WAITING_FOR_TRANSACTION_MATCH" if row["_method"] in CARD_METHODS else "PAYMENT_READY"


def _told(row):
    item, currency = _shown(row), row["_money"]["currency"]
    if item is None:
        left = open_minor(row)
        if row["_method"] in ("UNSPECIFIED", "VENDOR_CREDIT") or left <= 0:
            return None
        # Not instructed yet: how it will be paid is known, and what, and nothing else.
        item = {"id": None, "friendly": None, "scheduled": None, "effective": None, "told": None, "amount_minor": left,
                "method": row["_method"], "manual_method": None, "fund_id": None, "transaction_ids": [],
                "same_day": False, "source": None, "account": None}
    method = item["method"]
    if method in CARD_METHODS:
        details = {"schema_type": "CardPaymentDetailsSchema", "transaction_ids": item["transaction_ids"]}
        if item["fund_id"]:
            details.update(fund_id=item["fund_id"], spend_limit_id=item["fund_id"])
    elif method == "PAID_MANUALLY":
        details = {"schema_type": "ManualPaymentDetailsSchema", "manual_payment_method": item["manual_method"]}
    else:
        details = {
            "schema_type": "VendorPaymentDetailsSchema",
            "approval_status": None,
            "is_same_day": item["same_day"],
            "source_bank_account_id": item["source"],
            "vendor_account_id": item["account"],
        }
    return {
        "id": item["id"],
        "amount": item["told"] or money.amount(item["amount_minor"], currency),
        "customer_friendly_payment_id": item["friendly"],
        "details": details,
        "effective_date": None if method in CARD_METHODS else item["effective"],
        "payment_date": item["scheduled"],
        "payment_method": method,
        "trace_id": None,  # told in the detail only
    }


def _money(store, values):
    """The wire fields that follow from amounts and lines, and `_money`: the amounts as they are meant."""
    return {
        "amount": money.amount(values["amount_minor"], values["currency"]),
        "line_items": [_line(store, line, values["currency"]) for line in values["lines"]],
        "inventory_line_items": [
            {**_line(store, line, values["currency"]), "quantity": line["quantity"],
             "unit_price": money.amount(line["unit_price_minor"], line.get("currency") or values["currency"])}
            for line in values["inventory"]],
        "_money": values,
    }


def _line(store, line, currency):
    currency = line.get("currency") or currency
    item = {
        "accounting_field_selections": small(selections(store, line)),
        "amount": money.amount(line["amount_minor"], currency),
        "item_receipt_line_item_ids": list(line.get("item_receipt_line_item_ids") or ()),
        "purchase_order_line_item_id": line.get("purchase_order_line_item_id"),
        "withholding_line_item": None,
    }
    if line.get("memo"):
        item["memo"] = line["memo"]
    if line.get("withheld_minor"):
        gross = line["amount_minor"] + line["withheld_minor"]
        item["withholding_line_item"] = {
            "gross_amount": {"value": gross, "currency": currency},
            "withholding_amount": {"value": line["withheld_minor"], "currency": currency},
            "withholding_percentage": str(round(Decimal(line["withheld_minor"]) * 100 / gross, 2)),
        }
    return item
