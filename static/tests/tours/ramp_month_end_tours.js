/** @odoo-module **/
// License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import { addTour } from "./ramp_tours";

addTour("ramp_connector_accrual", {
    steps: () => [
        {
            content: "Choose a month that is over",
            trigger: ".o_ramp_to",
            run: "select 2026-07",
        },
        {
            content: "Accrue it",
            trigger: ".o_ramp_accrue:contains('July 2026')",
            run: "click",
        },
        {
            content: "The objects are reviewed",
            trigger: ".o_form_view .o_field_widget[name=line_ids] .o_data_row:contains('Hotel'):contains('On hold')",
        },
        {
            content: "The account of what is not coded",
            trigger: ".o_field_widget[name=expense_account_id] input",
            run: "edit Software of the tour",
        },
        {
            trigger: ".o-autocomplete--dropdown-item a:contains('Software of the tour')",
            run: "click",
        },
        {
            content: "The accrued liability",
            trigger: ".o_field_widget[name=liability_account_id] input",
            run: "edit Accrued Expenses",
        },
        {
            trigger: ".o-autocomplete--dropdown-item a:contains('Accrued Expenses')",
            run: "click",
        },
        {
            content: "Post it",
            trigger: "button[name=action_post]",
            run: "click",
        },
        {
            content: "It is posted",
            trigger: ".o_field_widget[name=standing]:contains('Posted')",
        },
        {
            content: "Back to the tie-out",
            trigger: ".o_back_button, .breadcrumb-item:not(.active) a",
            run: "click",
        },
        {
            content: "It names the accrual",
            trigger: ".o_ramp_accrual[data-month='2026-07']:contains('accrued on'):contains('7.00')",
        },
        {
            content: "The difference is explained",
            trigger: "tr[data-kind=summary_kind]:contains('Accrued (1)')",
        },
        {
            content: "Open it again",
            trigger: ".o_ramp_open_accrual",
            run: "click",
        },
        {
            trigger: "button[name=action_undo]",
        },
    ],
});

addTour("ramp_connector_journal_card_empty", {
    steps: () => [
        {
            content: "Nothing has been read yet: that is information, and no trouble",
            trigger: ".o_ramp_tie_out_status[data-status=empty].text-info:has(.fa-info-circle):not(.text-danger, .text-warning)",
            run: "click",
        },
        {
            content: "The page of the tie-out says it in the same way",
            trigger: ".o_ramp_status[data-status=empty].alert-info:has(.fa-info-circle)",
        },
    ],
});

addTour("ramp_connector_journal_card", {
    steps: () => [
        {
            content: "The card says what needs attention",
            trigger: ".o_kanban_record .o_ramp_journal:contains('Ramp of the tour') .o_ramp_attention:contains('2')",
        },
        {
            content: "This month is compared",
            trigger: ".o_ramp_journal .o_ramp_tie_out_status[data-status]",
        },
        {
            content: "It leads to the dashboard of Ramp",
            trigger: ".o_ramp_open_dashboard",
            run: "click",
        },
        {
            trigger: ".o_ramp_health",
        },
    ],
});
