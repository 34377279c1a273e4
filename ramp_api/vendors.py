# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Vendors of bill pay, with their addresses and contacts, as value objects.

The rules are those of `reading`. Schemas: Vendor, ApiVendorDetailResource, ApiVendorContactResource (2026-08-01).
"""

import dataclasses
import datetime

from .reading import PayloadReader, read_text_list, read_uuid_list, readers_of_items

VENDOR_TYPES = frozenset({'BUSINESS', 'INDIVIDUAL'})
VENDOR_APPROVAL_STATUSES = frozenset({'APPROVED', 'PENDING', 'REJECTED'})
TAX_CLASSIFICATIONS = frozenset(
    {
        'C_CORPORATION',
        'INDIVIDUAL_SOLE_PROPRIETOR_SINGLE_MEMBER_LLC',
        'INTERNATIONAL',
        'LLC_C_CORPORATION',
        'LLC_PARTNERSHIP',
        'LLC_S_CORPORATION',
        'OTHER',
        'PARTNERSHIP',
        'S_CORPORATION',
        'TRUST_ESTATE',
    }
)


@dataclasses.dataclass(frozen=True)
class Address:
    """An address of a vendor. id and is_default: only of those in `Vendor.addresses`."""

    address_line_1: str | None
    address_line_2: str | None
    city: str | None
    state: str | None
    postal_code: str | None
    country: str | None
    id: str | None
    is_default: bool


@dataclasses.dataclass(frozen=True)
class Vendor:
    """Somebody who is paid by bills; not the vendor one codes with, whose remote id is `accounting_vendor_remote_id`.

    vendor_type: one of VENDOR_TYPES; external_vendor_id: our own id, if we gave one; contacts: ids; custom_fields:
    pairs (name, text) of the columns the business added, texts only; approval_status (one of
    VENDOR_APPROVAL_STATUSES) and custom_fields are in the detail only, subsidiary where it was asked for;
    federal_tax_classification: one of TAX_CLASSIFICATIONS; created_at: aware, in UTC.
    """

    id: str
    name: str
    name_legal: str | None
    vendor_type: str | None
    is_active: bool
    approval_status: str | None
    external_vendor_id: str | None
    accounting_vendor_remote_id: str | None
    country: str | None
    state: str | None
    address: Address | None
    addresses: tuple[Address, ...]
    tax_address: Address | None
    federal_tax_classification: str | None
    description: str | None
    contacts: tuple[str, ...]
    custom_fields: tuple[tuple[str, str], ...]
    subsidiary: tuple[str, ...]
    default_entity_id: str | None
    merchant_id: str | None
    parent_vendor_id: str | None
    vendor_owner_id: str | None
    created_at: datetime.datetime | None


@dataclasses.dataclass(frozen=True)
class VendorContact:
    """A person at a vendor. is_default: bool, as Ramp says."""

    id: str
    email: str | None
    first_name: str | None
    last_name: str | None
    phone: str | None
    is_default: bool


@dataclasses.dataclass(frozen=True)
class VendorDetail:
    """A vendor with its contacts.

    contacts: tuple of VendorContact, None where they were not asked for or did not arrive.
    """

    vendor: Vendor
    contacts: tuple[VendorContact, ...] | None

    @property
    def id(self):
        """Return Ramp's id (str) of the vendor."""
        return self.vendor.id


def read_vendor(payload):
    """Read a vendor from an object of GET /vendors or /vendors/{id}.

    :param payload: dict
    :return: Vendor
    :raise PayloadError: if it is malformed, or has no id, name or `is_active`
    """
    reader = PayloadReader(payload)
    return Vendor(
        id=reader.read_uuid('id', required=True),
        name=reader.read_text('name', required=True),
        name_legal=reader.read_text('name_legal'),
        vendor_type=reader.read_choice('vendor_type', VENDOR_TYPES),
        is_active=reader.read_value('is_active', bool, 'true or false', required=True),
        approval_status=reader.read_choice('approval_status', VENDOR_APPROVAL_STATUSES),
        external_vendor_id=reader.read_text('external_vendor_id'),
        accounting_vendor_remote_id=reader.read_text('accounting_vendor_remote_id'),
        country=reader.read_text('country'),
        state=reader.read_text('state'),
        address=_read_vendor_address(reader.read_object('address')),
        addresses=tuple(_read_vendor_address(item, listed=True) for item in readers_of_items(reader, 'addresses')),
        tax_address=_read_vendor_address(reader.read_object('tax_address')),
        federal_tax_classification=reader.read_choice('federal_tax_classification', TAX_CLASSIFICATIONS),
        description=reader.read_text('description'),
        contacts=read_uuid_list(reader, 'contacts'),
        custom_fields=_read_custom_fields(reader),
        subsidiary=read_text_list(reader, 'subsidiary'),
        default_entity_id=reader.read_uuid('default_entity_id'),
        merchant_id=reader.read_uuid('merchant_id'),
        parent_vendor_id=reader.read_uuid('parent_vendor_id'),
        vendor_owner_id=reader.read_uuid('vendor_owner_id'),
        created_at=reader.read_moment('created_at'),
    )


def _read_vendor_address(reader, listed=False):
    """Read an address: Address | None. Ramp omits a missing one, or sends null or an empty object."""
    if not reader.values and not listed:
        return None
    return Address(
        address_line_1=reader.read_text('address_line_1'),
        address_line_2=reader.read_text('address_line_2'),
        city=reader.read_text('city'),
        state=reader.read_text('state'),
        postal_code=reader.read_text('postal_code'),
        country=reader.read_text('country'),
        id=reader.read_uuid('id', required=listed),
        is_default=reader.read_flag('is_default'),
    )


def _read_custom_fields(reader):
    """Read the text columns only. Ramp has no field for a tax number, so businesses keep it there."""
    found = []
    for item in readers_of_items(reader, 'custom_record_fields'):
        value = item.read_object('value')
        if value.read_text('type') == 'text':
            name, text = item.read_text('column_display_name'), value.read_text('value')
            if name is not None and text is not None:
                found.append((name, text))
    return tuple(found)


def read_vendor_contact(payload):
    """Read a contact from an object of GET /vendors/{id}/contacts.

    :param payload: dict
    :return: VendorContact
    :raise PayloadError: if it is malformed
    """
    return _contact_from_reader(PayloadReader(payload))


def _contact_from_reader(reader):
    return VendorContact(
        id=reader.read_uuid('id', required=True),
        email=reader.read_text('email'),
        first_name=reader.read_text('first_name'),
        last_name=reader.read_text('last_name'),
        phone=reader.read_text('phone'),
        is_default=reader.read_flag('is_default'),
    )


def read_vendor_detail(payload):
    """Read a vendor with its contacts, from what two requests brought.

    :param payload: dict, an object of GET /vendors/{id} to which the objects of GET /vendors/{id}/contacts were added
        as the list `contacts_detail`
    :return: VendorDetail
    :raise PayloadError: if either is malformed
    """
    vendor, reader = read_vendor(payload), PayloadReader(payload)
    told = reader.read_value('contacts_detail', list, 'a list') is not None
    contacts = tuple(_contact_from_reader(item) for item in readers_of_items(reader, 'contacts_detail'))
    return VendorDetail(vendor, contacts if told else None)
