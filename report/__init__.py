# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from . import (
    ramp_tie_out_report,
    ramp_tie_out_figures,
    ramp_tie_out_differences,
    ramp_tie_out_open,
    ramp_tie_out_items,
    ramp_tie_out_rates,
    ramp_dashboard,
    ramp_tie_out_summary,
    ramp_tie_out_signed,
    ramp_tie_out_pages,
    ramp_tie_out_accrued,
)
