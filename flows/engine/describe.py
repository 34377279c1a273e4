# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
import datetime
from decimal import Decimal
from functools import reduce

from odoo import api, models
from odoo.tools import LazyTranslate, format_date, formatLang

from ...models.reason import Sentence
from ...ramp_api import EXPONENTS, Money
from .flow import is_of_object
from .status_words import STATUS_WORDS

_lt = LazyTranslate(__name__)

# Attributes whose values are words of Ramp's own vocabulary
CODED_ATTRIBUTES = frozenset(
    {
        'approval_status',
        'direction',
        'funding_method',
        'payment_method',
        'state',
        'status',
        'status_summary',
        'type',
        'vendor_type',
    }
)
# Amounts that say something only if they differ from `amount`: in another currency, mostly
RESTATED_AMOUNTS = ('original_amount', 'payee_amount')
# Attributes of unknown objects that say nothing to a person
TECHNICAL_ENDINGS = ('id', 'ids', 'url', 'urls', 'sync_status', 'synced_at', 'updated_at')


@dataclasses.dataclass(frozen=True)
class CodedValue:
    """A word of Ramp's own vocabulary, such as CLEARED."""

    code: str


@dataclasses.dataclass(frozen=True)
class Detail:
    """One detail of an object, for a person.

    key: tells the details of one object apart, and finds the same detail in another version of the object
    label: what it is; a translatable text (see `Sentence.of`)
    value: Money, number, day, moment, bool, text, `CodedValue`, or a tuple of these; None if Ramp does not say
    """

    key: str
    label: object
    value: object


class RampFlowDescribe(models.AbstractModel):
    """Say in words, and in the reader's language, what Ramp sent of an object."""

    _inherit = 'ramp.flow.store'

    # What a person reads of an object: (path of an attribute of the value object, label), in the order of the page.
    # Empty: the attributes are taken as they are, see `_list_plain_details`.
    _object_details = ()

    # ------------------------------------------------------------------ hooks of a flow

    def _describe_object(self, connection, value):
        """Return what a person reads of a value object.

        :param value: what `_read_payload` returns
        :return: list of `Detail`
        """
        if not self._object_details:
            return self._list_plain_details(value)
        return self._list_named_details(value, self._object_details)

    def _get_files_parent_id(self, record):
        """Return the Ramp id under which the files of an object are in the ledger."""
        return record.ramp_id

    # ------------------------------------------------------------------ details

    @staticmethod
    def _list_named_details(value, table):
        """Return the details of a table as of `_object_details`."""
        details = [Detail(path, label, _read_attribute(value, path)) for path, label in table]
        amount = getattr(value, 'amount', None)
        return [detail for detail in details if detail.key not in RESTATED_AMOUNTS or detail.value != amount]

    @staticmethod
    def _list_plain_details(value):
        """Return the plain attributes of a value object by their names in Ramp: for a flow that names none."""
        return [
            Detail(field.name, field.name.replace('_', ' ').capitalize(), _read_attribute(value, field.name))
            for field in dataclasses.fields(value)
            if not field.name.endswith(TECHNICAL_ENDINGS)
            and isinstance(getattr(value, field.name), str | Money | datetime.date | Decimal | bool)
        ]

    @staticmethod
    def _list_line_details(lines):
        """Return the details of lines: amount, quantity, coding and memo of each."""
        details = []
        for number, line in enumerate(lines, 1):
            quantity, price = getattr(line, 'quantity', None), getattr(line, 'unit_price', None)
            details += [
                Detail(f'line.{number}.{key}', _lt('%(what)s, line %(number)s', what=label, number=number), part)
                for key, label, part in (
                    ('amount', _lt('Amount'), line.amount),
                    ('quantity', _lt('Quantity'), quantity),
                    ('unit_price', _lt('Unit Price'), price),
                    ('coding', _lt('Coding'), tuple(map(_name_option, line.selections))),
                    ('memo', _lt('Memo'), line.memo),
                )
            ]
        return details

    @api.model
    def _find_object_name(self, connection, flow, ramp_id):
        """Return the name of another object in the ledger, its id if it is not there, or None.

        :param ramp_id: Ramp's id of it, or None
        """
        if not ramp_id:
            return None
        row = self.env['ramp.record'].search(
            [('connection_id', '=', connection.id), ('flow', '=', flow), ('ramp_id', '=', ramp_id)], limit=1
        )
        return row.name or ramp_id

    # ------------------------------------------------------------------ in words

    def _describe_payload(self, connection, payload):
        """Return what a person reads of a payload.

        :return: {key of a detail: (label, text)} without what Ramp does not say; None if the payload cannot be read
        """
        try:
            details = self._describe_object(connection, self._read_payload(payload))
            texts = [(detail, self._format_detail(connection, detail.value)) for detail in details]
        except Exception as error:
            if not is_of_object(error):
                raise
            return None
        return {
            detail.key: (Sentence.of(detail.label).in_language(self.env.lang), text) for detail, text in texts if text
        }

    @api.model
    def _format_detail(self, connection, value):
        """Return a value as text in the reader's language; empty for a value that says nothing."""
        if value is None or value == () or value == '':
            return ''
        if isinstance(value, tuple):
            return ', '.join(filter(None, (self._format_detail(connection, part) for part in value)))
        if isinstance(value, Money):
            amount = formatLang(self.env, float(value.decimal_amount), digits=EXPONENTS[value.currency])
            return f'{amount} {value.currency}'
        if isinstance(value, bool):
            return self.env._('yes') if value else self.env._('no')
        if isinstance(value, datetime.date):  # a moment, too
            return format_date(self.env, self.env['ramp.flow.booking']._get_booking_day(connection, value))
        if isinstance(value, Decimal):
            return f'{value.normalize():f}'
        if isinstance(value, CodedValue):
            words = STATUS_WORDS.get(value.code)
            if words:
                return Sentence.of(words).in_language(self.env.lang)
            return value.code.replace('_', ' ').capitalize()
        return ' '.join(str(value).split())


def _read_attribute(value, path):
    """Return an attribute of an attribute; None if there is no such object."""
    found = reduce(lambda part, name: getattr(part, name, None), path.split('.'), value)
    is_code = isinstance(found, str) and path.rpartition('.')[2] in CODED_ATTRIBUTES
    return CodedValue(found) if is_code else found


def _name_option(selection):
    """Return code and name of an option that was picked, as people see it in Ramp."""
    code, name = selection.external_code, selection.name
    if name and code and code not in name:
        return f'{code} {name}'
    return name or code or selection.external_id or ''
