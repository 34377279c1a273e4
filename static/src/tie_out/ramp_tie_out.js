/** @odoo-module **/
// License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import { Component, onWillStart, useRef, useState } from "@odoo/owl";
import { ConfirmationDialog } from "@web/core/confirmation_dialog/confirmation_dialog";
import { Dropdown } from "@web/core/dropdown/dropdown";
import { DropdownItem } from "@web/core/dropdown/dropdown_item";
import { _t } from "@web/core/l10n/translation";
import { download } from "@web/core/network/download";
import { registry } from "@web/core/registry";
import { user } from "@web/core/user";
import { KeepLast } from "@web/core/utils/concurrency";
import { useService } from "@web/core/utils/hooks";
import { useSetupAction } from "@web/search/action_hook";
import { Layout } from "@web/search/layout";
import { standardActionServiceProps } from "@web/webclient/actions/action_service";
import { RampProgressBar } from "../progress/ramp_progress";
import { firstDay, monthKey } from "./ramp_tie_out_format";
import { TieOutRows } from "./ramp_tie_out_rows";
import { RampTieOutSummary } from "./ramp_tie_out_summary";
import { RampTieOutTable } from "./ramp_tie_out_table";
import { RampWithdrawDialog } from "./ramp_tie_out_withdraw";

const MODEL = "report.ramp_connector.tie_out";

// How the states of the report look, wherever they are shown. In the green ones, nobody has to correct anything.
const GREEN = { level: "success", icon: "fa-check-circle" };
const LOOKS = { zero: GREEN, explained: GREEN, empty: { level: "info", icon: "fa-info-circle" } };

/** Return how a state of the report looks: the level (success, info or warning) and the icon. */
export function statusLook(kind) {
    return LOOKS[kind] || { level: "warning", icon: "fa-exclamation-triangle" };
}

/** Ramp beside the books, month by month; each figure leads to what it consists of, each difference has a name. */
export class RampTieOut extends Component {
    static template = "ramp_connector.TieOut";
    static components = { Dropdown, DropdownItem, Layout, RampProgressBar, RampTieOutSummary, RampTieOutTable };
    static props = { ...standardActionServiceProps };

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.dialog = useService("dialog");
        this.last = new KeepLast();
        this.root = useRef("root");
        const before = this.props.state || {};
        this.state = useState({
            connections: [],
            connectionId: before.connectionId || this.props.action.context?.active_id,
            from: before.from || false,
            to: before.to || false,
            unfolded: before.unfolded || {},
            report: null,
            runState: "unknown",
            lastWatch: undefined,
        });
        this.rows = new TieOutRows(this.state);
        useSetupAction({
            rootRef: this.root,
            getLocalState: () => ({
                connectionId: this.state.connectionId,
                from: this.state.from,
                to: this.state.to,
                unfolded: { ...this.state.unfolded },
            }),
        });
        onWillStart(async () => {
            const { connections } = await this.orm.call(MODEL, "get_options", []);
            this.state.connections = connections;
            if (!this.connection && connections.length) {
                this.state.connectionId = connections[0].id;
            }
            this.mayRead = await user.hasGroup("account.group_account_invoice");
            await this.load();
        });
    }

    // what was chosen

    get connection() {
        return this.state.connections.find((connection) => connection.id === this.state.connectionId);
    }

    get months() {
        const months = [];
        let month = firstDay(this.connection.to);
        const first = firstDay(this.connection.from);
        for (; month >= first; month = month.minus({ months: 1 })) {
            months.push({ key: monthKey(month), label: month.toFormat("MMMM yyyy") });
        }
        return months;
    }

    get periods() {
        const now = firstDay(this.connection.to);
        const last = now.minus({ months: 1 });
        return [
            { key: "this_month", label: _t("This month"), from: monthKey(now), to: monthKey(now) },
            { key: "last_month", label: _t("Last month"), from: monthKey(last), to: monthKey(last) },
            { key: "year", label: _t("Year to date"), from: monthKey(now.startOf("year")), to: monthKey(now) },
            { key: "everything", label: _t("Everything"), from: false, to: false },
        ];
    }

    chooseConnection(connection) {
        Object.assign(this.state, { connectionId: connection.id, from: false, to: false, runState: "unknown", lastWatch: undefined });
        return this.load();
    }

    choosePeriod(from, to) {
        [from, to] = [from || false, to || false];
        if (from && to && from > to) {
            [from, to] = [to, from];
        }
        Object.assign(this.state, { from, to });
        return this.load();
    }

    async load() {
        if (!this.connection) {
            return;
        }
        const { connectionId, from, to } = this.state;
        this.state.report = await this.last.add(this.orm.call(MODEL, "get_first_page", [connectionId, from, to]));
        // The page does not wait for it
        this.loadUnfolded();
    }

    /** Read the first pages of the lists that were unfolded before, and are not among those that come with the report. */
    async loadUnfolded() {
        const { sections, open } = this.state.report;
        const rows = [...sections.flatMap((section) => this.rows.sectionRows(section)), ...open.flatMap((part) => this.rows.openRows(part))];
        for (const row of rows) {
            if (row.unfolded && row.list && !row.list.rows.length) {
                await this.loadMore(row.list);
            }
        }
    }

    // differences come page by page

    async loadMore({ holder, rows, method, args }) {
        if (holder.isLoading) {
            return; // a second click would bring the same page again
        }
        holder.isLoading = true;
        try {
            const page = holder.pages ?? (rows.length ? 1 : 0);
            const found = await this.orm.call(MODEL, method, args, { month_to: this.state.to || null, page });
            rows.push(...found);
            holder.pages = page + 1;
            // An empty page: the rest is gone meanwhile
            holder.more = found.length ? Math.max(0, holder.more - found.length) : 0;
            if (holder.more_amount !== undefined) {
                holder.more_amount -= found.reduce((sum, item) => sum + item.difference, 0);
            }
        } finally {
            holder.isLoading = false;
        }
    }

    // what is shown

    get status() {
        const { kind, text, note } = this.state.report.status;
        const { level, icon } = statusLook(kind);
        return { kind, text, note, style: `alert-${level}`, icon };
    }

    async toggle(row) {
        this.state.unfolded[row.key] = !row.unfolded;
        if (!row.unfolded && row.list && !row.list.rows.length) {
            await this.loadMore(row.list);
        }
    }

    // where it leads

    /** What a click on one side of a row opens, or false where it leads nowhere. */
    target(row, side, section) {
        if (row.difference) {
            const { record_id, move_id } = row.difference;
            if (side === "ramp") {
                return record_id && (() => this.openForm("ramp.record", record_id));
            }
            return move_id && (() => this.openForm("account.move", move_id));
        }
        const owing = row.owing?.[side];
        if (owing) {
            const [kind, partnerId, currencyId] = owing;
            return () => this.openAction("open_owing", [this.state.connectionId, kind, side, partnerId, currencyId, this.state.to]);
        }
        const link = row.links?.[side];
        return link && (() => this.openItems(section, side, link));
    }

    async openAction(method, args, kwargs) {
        return this.action.doAction(await this.orm.call(MODEL, method, args, kwargs));
    }

    openItems(section, side, { month = false, measure = null, month_to = false }) {
        return this.openAction("open_items", [this.state.connectionId, side, section.currency.id], {
            month,
            measure,
            month_to,
            entity: section.entity,
        });
    }

    openForm(model, id) {
        return this.action.doAction({ type: "ir.actions.act_window", res_model: model, res_id: id, views: [[false, "form"]] });
    }

    openDifference({ record_id, move_id }) {
        return record_id ? this.openForm("ramp.record", record_id) : this.openForm("account.move", move_id);
    }

    // buttons

    get options() {
        return { connection_id: this.state.connectionId, month_from: this.state.from, month_to: this.state.to };
    }

    printPdf() {
        return this.action.doAction({
            type: "ir.actions.report",
            report_type: "qweb-pdf",
            report_name: "ramp_connector.tie_out",
            report_file: "ramp_connector.tie_out",
            name: _t("Ramp Tie-Out"),
            display_name: _t("Ramp Tie-Out"),
            data: this.options,
            context: user.context,
        });
    }

    exportXlsx() {
        const data = Object.fromEntries(Object.entries(this.options).filter(([, value]) => value));
        return download({ url: "/ramp_connector/tie_out/xlsx", data });
    }

    signOff() {
        const { month, label } = this.state.report.to_sign;
        this.dialog.add(ConfirmationDialog, {
            title: _t("Sign off %s", label),
            body: _t("Your name, the moment and the figures of the month are kept. The tie-out shows it if a figure changes later."),
            confirmLabel: _t("Sign Off"),
            confirm: async () => {
                await this.orm.call("ramp.tie.out.sign.off", "sign_month", [this.state.connectionId, month]);
                await this.load();
            },
            cancel: () => {},
        });
    }

    async accrue() {
        const { month } = this.state.report.to_accrue;
        return this.action.doAction(await this.orm.call("ramp.accrual", "open_month", [this.state.connectionId, month]));
    }

    openAccrual({ id }) {
        return this.openForm("ramp.accrual", id);
    }

    withdraw({ id, text }) {
        this.dialog.add(RampWithdrawDialog, {
            text,
            confirm: async (reason) => {
                await this.orm.call("ramp.tie.out.sign.off", "action_withdraw", [[id], reason]);
                await this.load();
            },
        });
    }

    async readAgain() {
        await this.orm.call("ramp.connection", "action_read_again", [[this.state.connectionId]]);
        Object.assign(this.state, { runState: "queued", lastWatch: this.state.report.read });
    }

    async done() {
        Object.assign(this.state, { runState: "idle", lastWatch: undefined });
        await this.load();
    }
}

registry.category("actions").add("ramp_tie_out", RampTieOut);
