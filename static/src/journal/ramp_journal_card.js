/** @odoo-module **/
// License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import { Component, onMounted, useState } from "@odoo/owl";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { standardWidgetProps } from "@web/views/widgets/standard_widget_props";
import { statusLook } from "../tie_out/ramp_tie_out";

/** What the card of a journal says of the Ramp connections that post to it. */
export class RampJournalCard extends Component {
    static template = "ramp_connector.JournalCard";
    static props = { ...standardWidgetProps };

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.state = useState({ tieOuts: {} });
        // The dashboard does not wait for it
        onMounted(() => this.connections.filter((connection) => connection.has_tie_out).forEach((connection) => this.compare(connection)));
    }

    get connections() {
        return JSON.parse(this.props.record.data.kanban_dashboard).ramp || [];
    }

    async compare({ id }) {
        const tieOut = await this.orm.silent.call("report.ramp_connector.dashboard", "get_tie_out", [id]);
        this.state.tieOuts[id] = { ...tieOut, ...statusLook(tieOut.kind) };
    }

    openDashboard({ id }) {
        return this.action.doAction("ramp_connector.ramp_dashboard_action", { additionalContext: { active_id: id } });
    }

    openAttention({ id }) {
        return this.action.doAction("ramp_connector.ramp_cause_action", { additionalContext: { search_default_connection_id: id } });
    }

    async openTieOut({ id }) {
        return this.action.doAction(await this.orm.call("ramp.connection", "action_open_tie_out", [[id]]));
    }
}

registry.category("view_widgets").add("ramp_journal_card", { component: RampJournalCard });
