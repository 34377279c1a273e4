/** @odoo-module **/
// License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import { Component } from "@odoo/owl";
import { formatAmount } from "./ramp_tie_out_format";

/** What is explained and what is not, by entity and currency, above the tables. */
export class RampTieOutSummary extends Component {
    static template = "ramp_connector.TieOut.Summary";
    static props = { sections: Array };

    money(amount, currency) {
        return formatAmount(amount, currency);
    }
}
