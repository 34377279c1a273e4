/** @odoo-module **/
// License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import { Component, onWillStart, useRef, useState } from "@odoo/owl";
import { ConfirmationDialog } from "@web/core/confirmation_dialog/confirmation_dialog";
import { Dialog } from "@web/core/dialog/dialog";
import { Dropdown } from "@web/core/dropdown/dropdown";
import { DropdownItem } from "@web/core/dropdown/dropdown_item";
import { formatDate, deserializeDate } from "@web/core/l10n/dates";
import { _t } from "@web/core/l10n/translation";
import { download } from "@web/core/network/download";
import { registry } from "@web/core/registry";
import { user } from "@web/core/user";
import { KeepLast } from "@web/core/utils/concurrency";
import { useService } from "@web/core/utils/hooks";
import { useSetupAction } from "@web/search/action_hook";
import { Layout } from "@web/search/layout";
import { formatMonetary } from "@web/views/fields/formatters";
import { standardActionServiceProps } from "@web/webclient/actions/action_service";
import { RampProgressBar } from "../progress/ramp_progress";

const { DateTime } = luxon;
const MODEL = "report.ramp_connector.tie_out";
// What mends itself, or is mended in Ramp, stands out less than what somebody did in Odoo
const BADGES = { withheld: "text-bg-info", waiting: "text-bg-info", expected: "text-bg-info", accrued: "text-bg-info", ignored: "text-bg-secondary" };

// States of the report in which nobody has to correct anything
export const GREEN = ["zero", "explained"];

const isZero = (figures) => !figures.ramp && !figures.odoo && !figures.difference;

/** Asks why a sign-off is withdrawn. */
export class RampWithdrawDialog extends Component {
    static template = "ramp_connector.WithdrawDialog";
    static components = { Dialog };
    static props = { text: String, confirm: Function, close: Function };

    setup() {
        this.state = useState({ reason: "" });
    }

    async withdraw() {
        await this.props.confirm(this.state.reason);
        this.props.close();
    }
}

/** Ramp beside the books, month by month; each figure leads to what it consists of, each difference has a name. */
export class RampTieOut extends Component {
    static template = "ramp_connector.TieOut";
    static components = { Dropdown, DropdownItem, Layout, RampProgressBar };
    static props = { ...standardActionServiceProps };

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.dialog = useService("dialog");
        this.last = new KeepLast();
        this.root = useRef("root");
        this.sides = ["ramp", "odoo"];
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
        let month = DateTime.fromISO(`${this.connection.to}-01`);
        const first = DateTime.fromISO(`${this.connection.from}-01`);
        for (; month >= first; month = month.minus({ months: 1 })) {
            months.push({ key: month.toFormat("yyyy-MM", { locale: "en", numberingSystem: "latn" }), label: month.toFormat("MMMM yyyy") });
        }
        return months;
    }

    get periods() {
        const now = DateTime.fromISO(`${this.connection.to}-01`);
        const key = (month) => month.toFormat("yyyy-MM", { locale: "en", numberingSystem: "latn" });
        const last = now.minus({ months: 1 });
        return [
            { key: "this_month", label: _t("This month"), from: key(now), to: key(now) },
            { key: "last_month", label: _t("Last month"), from: key(last), to: key(last) },
            { key: "year", label: _t("Year to date"), from: key(now.startOf("year")), to: key(now) },
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
        for (const row of [...sections.flatMap((section) => this.rows(section)), ...open.flatMap((part) => this.openRows(part))]) {
            if (row.unfolded && row.list && !row.list.rows.length) {
                await this.loadMore(row.list);
            }
        }
    }

    // differences come page by page

    /** The list of differences of a month, of what is carried forward, or of a partner. `holder` is what the report has of it. */
    list(holder, name, method, args) {
        return { holder, rows: holder[name], more: holder.more, method, args };
    }

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

    /** The row below a list that has more differences than are shown. */
    moreRow(list, key, figures) {
        const { more } = list;
        return { key: `${key}/more`, kind: "more", label: more === 1 ? _t("Show 1 more") : _t("Show more (%s are left)", more), figures, list };
    }

    // what is shown

    get status() {
        const { kind, text, note } = this.state.report.status;
        return {
            kind,
            text,
            note,
            style: GREEN.includes(kind) ? "alert-success" : kind === "empty" ? "alert-info" : "alert-warning",
            icon: GREEN.includes(kind) ? "fa-check-circle" : kind === "empty" ? "fa-info-circle" : "fa-exclamation-triangle",
        };
    }

    /** The rows of a section's table: what was owed, what moved it, what is owed; then its months, the newest first. */
    rows(section) {
        const { currency, entity } = section;
        const rows = [];
        const [first, last] = [section.months[0].month, section.months[section.months.length - 1].month];
        // A month in which nothing moved says nothing. The last one is shown all the same
        const months = section.months.filter((month) => !month.is_empty || month.month === last);
        if (!isZero(section.start)) {
            const before = this.monthBefore(section.start_date.slice(0, 7));
            rows.push({
                key: "start",
                label: _t("Owed before %s", formatDate(deserializeDate(section.start_date))),
                figures: section.start,
                links: { odoo: { month_to: before } },
                marked: section.start.odd,
            });
        }
        rows.push(...this.carriedRows(section));
        const several = months.length > 1;
        if (several) {
            rows.push(...this.lines(section, first, last, 0, "total"));
        }
        for (const month of [...months].reverse()) {
            const key = `${entity}/${currency.id}/${month.month}`;
            const count = month.differences.length + month.more;
            const unfolded = this.state.unfolded[key] ?? month.month === last;
            const list = this.list(month, "differences", "get_differences", [this.state.connectionId, currency.id, entity, month.month, this.state.from || null]);
            rows.push({
                key,
                kind: "month",
                month: month.month,
                label: month.label,
                figures: month.closing,
                links: { ramp: { month_to: month.month }, odoo: { month_to: month.month } },
                isZero: month.is_zero,
                count,
                unfolded,
                list: month.more && list,
            });
            if (unfolded) {
                rows.push(...this.lines(month, month.month, month.month, 2, key), ...this.differences(month.differences, key));
            }
            if (unfolded && month.more) {
                rows.push(this.moreRow(list, key));
            }
        }
        rows.push(...this.accountRows(section));
        return rows;
    }

    /** What explains the opening difference: the objects of earlier months whose two sides differ. */
    carriedRows({ carried, start_date, entity, currency }) {
        if (!carried.rows.length && !carried.more && !carried.total) {
            return [];
        }
        const key = `carried/${entity}/${currency.id}`;
        const unfolded = this.state.unfolded[key] ?? true;
        const onlyDifference = (difference) => ({ difference });
        const list = this.list(carried, "rows", "get_differences", [this.state.connectionId, currency.id, entity, null, this.state.from || null]);
        const rows = [
            {
                key,
                kind: "carried",
                label: _t("Carried forward from earlier months"),
                figures: onlyDifference(carried.total),
                count: carried.rows.length + carried.more,
                unfolded,
                list: carried.more && list,
            },
        ];
        if (unfolded) {
            rows.push(...this.differences(carried.rows, key));
            if (carried.more) {
                rows.push(this.moreRow(list, key, onlyDifference(carried.more_amount)));
            }
            if (carried.start) {
                const label = _t("Owed before %s", formatDate(deserializeDate(start_date)));
                rows.push({ key: `${key}/start`, kind: "more", label, figures: onlyDifference(carried.start) });
            }
        }
        return rows;
    }

    /** Odoo's closing balance by account. */
    accountRows(section) {
        return section.accounts.map((account) => ({
            key: `account/${account.account_id}`,
            kind: "account",
            label: _t("Of the closing balance on %s", `${account.code} ${account.name}`),
            figures: { odoo: account.odoo },
        }));
    }

    lines(part, first, last, level, prefix) {
        const balance = (name, label, figures, month) => ({
            key: `${prefix}/${name}`,
            kind: "balance",
            label,
            level,
            figures,
            links: { ramp: { month_to: month }, odoo: { month_to: month } },
        });
        const line = (item) => ({
            key: `${prefix}/${item.measure}`,
            kind: item.is_owed ? "line" : "beside",
            label: item.is_owed ? item.label : _t("Memo (not in the balance): %s", item.label),
            level: level + 1,
            figures: item,
            links: Object.fromEntries(
                this.sides
                    .filter((side) => item[side] || item.odd)
                    .map((side) => [side, { measure: item.measure, month: first, month_to: last }])
            ),
        });
        const shown = part.lines.filter((item) => !item.is_empty);
        return [
            balance("opening", _t("Opening balance"), part.opening, this.monthBefore(first)),
            ...shown.filter((item) => item.is_owed).map(line),
            balance("closing", _t("Closing balance"), part.closing, last),
            ...shown.filter((item) => !item.is_owed).map(line),
        ];
    }

    differences(items, prefix) {
        return items.map((item, index) => ({
            key: `${prefix}/difference/${index}`,
            kind: "difference",
            label: item.name,
            figures: item,
            difference: item,
            badge: this.state.report.kinds[item.kind] || item.kind,
            style: BADGES[item.kind] || "text-bg-warning",
            date: item.date && formatDate(deserializeDate(item.date)),
        }));
    }

    /** What is in foreign currencies: at Odoo's rates, and as it is booked. */
    rateRows({ rows, currency }) {
        return rows.map((row) => ({
            key: row.code,
            kind: "rate",
            label: row.odd ? _t("%s: differs by more than the connection allows", row.name) : row.name,
            figures: row,
            currency,
            isFine: !row.odd,
        }));
    }

    /** The rows of what is open, by vendor or by employee. */
    openRows(part) {
        return part.rows.flatMap((row) => {
            const key = `${part.kind}/${row.partner_id}/${row.currency.id}`;
            const unfolded = this.state.unfolded[key] ?? row.differences.length > 0;
            const args = [part.kind, row.partner_id, row.currency.id];
            const list = this.list(row, "differences", "get_open_differences", [this.state.connectionId, ...args]);
            return [
                {
                    key,
                    kind: row.odd ? "month" : "partner",
                    label: row.name,
                    figures: row,
                    currency: row.currency,
                    owing: { ramp: row.ramp || row.odd ? args : false, odoo: row.odoo || row.odd ? args : false },
                    count: row.differences.length + row.more,
                    unfolded,
                    list: row.more && list,
                },
                ...(unfolded ? this.differences(row.differences, key) : []).map((item) => ({ ...item, currency: row.currency })),
                ...(unfolded && row.more ? [this.moreRow(list, key)] : []),
            ];
        });
    }

    async toggle(row) {
        this.state.unfolded[row.key] = !row.unfolded;
        if (!row.unfolded && row.list && !row.list.rows.length) {
            await this.loadMore(row.list);
        }
    }

    monthBefore(month) {
        return DateTime.fromISO(`${month}-01`)
            .minus({ months: 1 })
            .toFormat("yyyy-MM", { locale: "en", numberingSystem: "latn" });
    }

    money(amount, currency) {
        return formatMonetary(amount, { currencyId: currency.id, digits: [69, currency.digits] });
    }

    countInWords(count) {
        return count === 1 ? _t("1 difference") : _t("%s differences", count);
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

    titleOf(side) {
        return side === "ramp" ? _t("What Ramp says") : _t("In the books");
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
