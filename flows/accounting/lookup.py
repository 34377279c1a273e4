# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""What the bases of `flows/accounting` look up for a batch. The lookup of a flow inherits one of these classes."""

import dataclasses
import datetime
from collections import defaultdict

from odoo import models

from ..engine.book import Lookup
from .payment_notes import PaymentNote


@dataclasses.dataclass
class CodingLookup:
    """What the selections of a batch refer to in Odoo. See `ramp.coding._look_up_selections`.

    identity: identity of this database in external ids
    company: company of the connection
    known: {external id: (kind, id of the record)}, from the ledger, otherwise from the external id itself
    mapped: {(type of the selection, its key): (kind, id of the record)}, as a person decided
    hidden: {external id: why Ramp does not offer it any more, as a sentence}
    accounts_by_code: {code: accounts of the company and its parents}
    records: {kind: {id: record}} of the kinds account, analytic, tax and partner
    """

    identity: str = ''
    company: models.Model | None = None
    known: dict[str, tuple[str, int]] = dataclasses.field(default_factory=dict)
    mapped: dict[tuple[str, str], tuple[str, int]] = dataclasses.field(default_factory=dict)
    hidden: dict[str, str] = dataclasses.field(default_factory=dict)
    accounts_by_code: dict[str, models.Model] = dataclasses.field(default_factory=dict)
    records: dict[str, dict[int, models.Model]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class DefaultsLookup:
    """Odoo's answers on defaults and mandatory plans, each computed when it is first needed.

    taxes: {(account, partner, product): the default taxes}
    positions: {partner: the fiscal position}
    has_models: whether the company has analytic distribution models; None before that is known
    distributions: {(account, partner, product, plans with a selection): the distribution of models}
    mandatory_plans: {(account, product): [plan as `_get_mandatory_plans` returns it]}
    """

    taxes: dict[tuple, models.Model] = dataclasses.field(default_factory=dict)
    positions: dict[models.Model, models.Model] = dataclasses.field(default_factory=dict)
    has_models: bool | None = None
    distributions: dict[tuple, dict[str, float]] = dataclasses.field(default_factory=dict)
    mandatory_plans: dict[tuple, list[dict]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class PeopleLookup:
    """Whose spend it is. See `ramp.flow.booking._look_up_people`.

    employees: {Ramp user id: employee}
    questions: {Ramp user id: sentence}, of users that match no employee for certain
    """

    employees: dict[str, models.Model] = dataclasses.field(default_factory=dict)
    questions: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class AccountingLookup(Lookup):
    """What every kind of document needs. See `ramp.flow.booking._look_up_accounting_state`.

    coding: what the selections of all lines refer to
    currencies: {code: currency, active or not; empty where Odoo does not have it}
    first_rate_days: {foreign currency: day of its first rate in Odoo}; without those that have no rate
    open_days: {(day, journal id, whether it has taxes): whether no lock date forbids it}, filled while planning
    odoo_rates: {(currency, day): units of the company's currency for one of it}, filled while planning
    defaults: Odoo's defaults, filled while planning
    accrued: {Ramp id: first day after the accrual of the object}, see `ramp.flow.booking._look_up_accruals`
    """

    coding: CodingLookup = dataclasses.field(default_factory=CodingLookup)
    currencies: dict[str, models.Model] = dataclasses.field(default_factory=dict)
    first_rate_days: dict[models.Model, datetime.date] = dataclasses.field(default_factory=dict)
    open_days: dict[tuple[datetime.date, int, bool], bool] = dataclasses.field(default_factory=dict)
    odoo_rates: dict[tuple[models.Model, datetime.date], float] = dataclasses.field(default_factory=dict)
    defaults: DefaultsLookup = dataclasses.field(default_factory=DefaultsLookup)
    accrued: dict[str, datetime.date] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class PayableLookup(AccountingLookup):
    """What bills and refunds need. Both are empty in a flow whose documents are of no vendor in Ramp.

    partners: {Ramp id of a vendor: (partner, None), or (empty recordset, reason or None)}
    numbers: {(type, `Document.identity_key`): [(vendor, document, its day)]} of the documents in Odoo; a document that
        is planned in this batch is added with None
    """

    partners: dict[str, tuple[models.Model, str | None]] = dataclasses.field(default_factory=dict)
    numbers: dict[tuple, list[tuple]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class PaymentLookup(AccountingLookup):
    """What payments of documents need.

    documents: {Ramp id: (row of the document, document, its payable line)}
    noted: {Ramp id: what the payment's row notes}; an empty note where there is none
    """

    documents: dict[str, tuple[models.Model, models.Model, models.Model]] = dataclasses.field(default_factory=dict)
    # Without a look-up there is none: every payment would be taken for a new one
    noted: defaultdict[str, PaymentNote] | None = None
