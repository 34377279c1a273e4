/** @odoo-module **/
// License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import { formatMonetary } from "@web/views/fields/formatters";

const { DateTime } = luxon;

/** A month as the server knows it, such as 2026-03, in any language. */
export function monthKey(month) {
    return month.toFormat("yyyy-MM", { locale: "en", numberingSystem: "latn" });
}

/** The first day of a month that `monthKey` returned. */
export function firstDay(key) {
    return DateTime.fromISO(`${key}-01`);
}

export function monthBefore(key) {
    return monthKey(firstDay(key).minus({ months: 1 }));
}

export function formatAmount(amount, currency) {
    return formatMonetary(amount, { currencyId: currency.id, digits: [69, currency.digits] });
}
