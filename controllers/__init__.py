# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from . import ramp_dry_run, ramp_sign_in, ramp_tie_out, ramp_webhook
