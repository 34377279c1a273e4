/** @odoo-module **/
// License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import { formatDate, deserializeDate } from "@web/core/l10n/dates";
import { _t } from "@web/core/l10n/translation";
import { monthBefore } from "./ramp_tie_out_format";

const SIDES = ["ramp", "odoo"];
// What mends itself, or is mended in Ramp, stands out less than what somebody did in Odoo
const BADGES = { withheld: "text-bg-info", waiting: "text-bg-info", expected: "text-bg-info", accrued: "text-bg-info", ignored: "text-bg-secondary" };

const isZero = (figures) => !figures.ramp && !figures.odoo && !figures.difference;

/** Makes the rows of the tie-out's tables, out of what the report has and what is unfolded. */
export class TieOutRows {
    /** @param {Object} state of the page: `report`, `unfolded`, and what was chosen */
    constructor(state) {
        this.state = state;
    }

    /** The rows of a section's table: what was owed, what moved it, what is owed; then its months, the newest first. */
    sectionRows(section) {
        const { currency, entity } = section;
        const rows = [];
        const [first, last] = [section.months[0].month, section.months[section.months.length - 1].month];
        // A month in which nothing moved says nothing. The last one is shown all the same
        const months = section.months.filter((month) => !month.is_empty || month.month === last);
        if (!isZero(section.start)) {
            const before = monthBefore(section.start_date.slice(0, 7));
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
            rows.push(...this.measureRows(section, first, last, 0, "total"));
        }
        for (const month of [...months].reverse()) {
            const key = `${entity}/${currency.id}/${month.month}`;
            const count = month.differences.length + month.more;
            const unfolded = this.state.unfolded[key] ?? month.month === last;
            const list = this.pagedList(month, "differences", "get_differences", [this.state.connectionId, currency.id, entity, month.month, this.state.from || null]);
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
                rows.push(...this.measureRows(month, month.month, month.month, 2, key), ...this.differenceRows(month.differences, key));
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
        const list = this.pagedList(carried, "rows", "get_differences", [this.state.connectionId, currency.id, entity, null, this.state.from || null]);
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
            rows.push(...this.differenceRows(carried.rows, key));
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
            const list = this.pagedList(row, "differences", "get_open_differences", [this.state.connectionId, ...args]);
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
                ...(unfolded ? this.differenceRows(row.differences, key) : []).map((item) => ({ ...item, currency: row.currency })),
                ...(unfolded && row.more ? [this.moreRow(list, key)] : []),
            ];
        });
    }

    /** The rows of a month or of all months: opening balance, what moved it, closing balance, and what is beside it. */
    measureRows(part, first, last, level, prefix) {
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
                SIDES
                    .filter((side) => item[side] || item.odd)
                    .map((side) => [side, { measure: item.measure, month: first, month_to: last }])
            ),
        });
        const shown = part.lines.filter((item) => !item.is_empty);
        return [
            balance("opening", _t("Opening balance"), part.opening, monthBefore(first)),
            ...shown.filter((item) => item.is_owed).map(line),
            balance("closing", _t("Closing balance"), part.closing, last),
            ...shown.filter((item) => !item.is_owed).map(line),
        ];
    }

    differenceRows(items, prefix) {
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

    /** The list of differences of a month, of what is carried forward, or of a partner. `holder` is what the report has of it. */
    pagedList(holder, name, method, args) {
        return { holder, rows: holder[name], more: holder.more, method, args };
    }

    /** The row below a list that has more differences than are shown. */
    moreRow(list, key, figures) {
        const { more } = list;
        return { key: `${key}/more`, kind: "more", label: more === 1 ? _t("Show 1 more") : _t("Show more (%s are left)", more), figures, list };
    }
}
