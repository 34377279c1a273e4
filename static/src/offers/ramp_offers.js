/** @odoo-module **/
// License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import { Component } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { standardFieldProps } from "@web/views/fields/standard_field_props";

/** How much of each kind Odoo offers, and what became of it; each number opens its rows of the ledger. */
export class RampOffers extends Component {
    static template = "ramp_connector.RampOffers";
    static props = { ...standardFieldProps };

    setup() {
        this.action = useService("action");
    }

    get columns() {
        return [
            { key: "sent", label: _t("In Ramp"), style: "text-success", filters: ["confirmed"] },
            { key: "waiting", label: _t("Waiting to be sent"), style: "text-info", filters: ["pending"] },
            { key: "problem", label: _t("Needs attention"), style: "text-danger fw-bold", filters: ["problem"] },
            { key: "left_out", label: _t("Not offered"), style: "text-muted", filters: ["ignored"] },
        ];
    }

    get rows() {
        return this.props.record.data[this.props.name] || [];
    }

    open(row, column) {
        return this.action.doActionButton({
            type: "object",
            name: "action_open_records",
            resModel: this.props.record.resModel,
            resId: this.props.record.resId,
            buttonContext: { ramp_flow: row.flow, ramp_filters: column.filters },
        });
    }
}

registry.category("fields").add("ramp_offers", {
    component: RampOffers,
    displayName: _t("What Odoo offers in Ramp"),
    supportedTypes: ["json"],
});
