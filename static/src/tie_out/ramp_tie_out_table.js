/** @odoo-module **/
// License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import { Component } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { formatAmount } from "./ramp_tie_out_format";

/** A table of the tie-out: rows of `TieOutRows`, with what each of them opens. */
export class RampTieOutTable extends Component {
    static template = "ramp_connector.TieOut.Table";
    static props = {
        rows: Array,
        currency: { type: Object, optional: true }, // of the rows that have none of their own
        section: { type: Object, optional: true },
        isAtRates: { type: Boolean, optional: true },
        target: Function, // (row, side, section): what a click opens, or false
        toggle: Function, // (row)
        loadMore: Function, // (list)
        openDifference: Function, // (difference)
    };

    setup() {
        this.sides = ["ramp", "odoo"];
    }

    money(amount, row) {
        return amount === undefined ? "" : formatAmount(amount, row.currency || this.props.currency);
    }

    countInWords(count) {
        return count === 1 ? _t("1 difference") : _t("%s differences", count);
    }

    titleOf(side) {
        return side === "ramp" ? _t("What Ramp says") : _t("In the books");
    }
}
