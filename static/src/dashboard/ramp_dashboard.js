/** @odoo-module **/
// License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import { Component, onWillStart, useState } from "@odoo/owl";
import { Dropdown } from "@web/core/dropdown/dropdown";
import { DropdownItem } from "@web/core/dropdown/dropdown_item";
import { deserializeDateTime, formatDateTime } from "@web/core/l10n/dates";
import { registry } from "@web/core/registry";
import { user } from "@web/core/user";
import { KeepLast } from "@web/core/utils/concurrency";
import { useService } from "@web/core/utils/hooks";
import { useSetupAction } from "@web/search/action_hook";
import { Layout } from "@web/search/layout";
import { standardActionServiceProps } from "@web/webclient/actions/action_service";
import { RampProgressBar } from "../progress/ramp_progress";

const MODEL = "report.ramp_connector.dashboard";
const STYLES = { ok: "alert-success", warning: "alert-warning", error: "alert-danger" };
const ICONS = { ok: "fa-check-circle", warning: "fa-exclamation-triangle", error: "fa-times-circle" };

/** How the connection is, the next step, what waits and for whom, and what was spent. */
export class RampDashboard extends Component {
    static template = "ramp_connector.Dashboard";
    static components = { Dropdown, DropdownItem, Layout, RampProgressBar };
    static props = { ...standardActionServiceProps };

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.last = new KeepLast();
        const before = this.props.state || {};
        this.state = useState({
            connectionId: before.connectionId || this.props.action.context?.active_id || false,
            data: null,
            tieOut: null,
            runState: "unknown",
        });
        useSetupAction({ getLocalState: () => ({ connectionId: this.state.connectionId }) });
        onWillStart(async () => {
            this.maySetUp = await user.hasGroup("account.group_account_manager");
            this.maySync = await user.hasGroup("account.group_account_invoice");
            await this.load();
        });
    }

    get style() {
        return STYLES[this.state.data.health.level];
    }

    get icon() {
        return ICONS[this.state.data.health.level];
    }

    async load() {
        const data = await this.last.add(this.orm.call(MODEL, "get_dashboard", [this.state.connectionId || null]));
        Object.assign(this.state, { data, connectionId: data.connection && data.connection.id, tieOut: null });
        if (data.connection) {
            // The page does not wait for it
            this.orm.silent.call(MODEL, "get_tie_out", [data.connection.id]).then((tieOut) => {
                if (data === this.state.data || data.connection.id === this.state.connectionId) {
                    this.state.tieOut = tieOut;
                }
            });
        }
    }

    async done() {
        this.state.runState = "idle";
        await this.load();
    }

    choose(connection) {
        this.state.connectionId = connection.id;
        this.state.runState = "unknown";
        return this.load();
    }

    when(run) {
        return run.finished ? formatDateTime(deserializeDateTime(run.finished)) : "";
    }

    step() {
        return { connection: this.openConnection, attention: this.openAttention, sync: this.sync }[this.state.data.health.step.name].call(this);
    }

    async sync() {
        await this.orm.call("ramp.connection", "action_sync_now", [[this.state.connectionId]], { context: { ramp_quiet: true } });
        this.state.runState = "queued";
    }

    setUp() {
        return this.action.doAction("ramp_connector.ramp_setup_action");
    }

    openConnection() {
        return this.action.doAction({
            type: "ir.actions.act_window",
            res_model: "ramp.connection",
            res_id: this.state.connectionId,
            views: [[false, "form"]],
        });
    }

    openAttention() {
        return this.action.doAction("ramp_connector.ramp_cause_action");
    }

    async openCause(cause) {
        return this.action.doAction(await this.orm.call("ramp.cause", "action_open_records", [[cause.id]]));
    }

    async openTieOut() {
        return this.action.doAction(await this.orm.call("ramp.connection", "action_open_tie_out", [[this.state.connectionId]]));
    }
}

registry.category("actions").add("ramp_connector.dashboard", RampDashboard);
