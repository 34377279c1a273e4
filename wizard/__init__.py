# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from . import (
    account_payment_register,
    base_partner_merge,
    ramp_cardholder_match,
    ramp_record_ignore,
    ramp_record_link,
    ramp_setup,
    ramp_setup_books,
    ramp_setup_connect,
    ramp_setup_ramp,
    ramp_setup_sign_in,
    ramp_setup_start,
)
