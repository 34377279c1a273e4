/** @odoo-module **/
// License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import { Component, onWillStart, onWillUnmount, onWillUpdateProps, useState } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { standardFieldProps } from "@web/views/fields/standard_field_props";

const FIELDS = ["run_state", "progress", "progress_text", "last_watch", "last_error", "sync_outcome"];
const INTERVAL = 1500; // milliseconds between two looks while something runs

/** Progress of a connection's running synchronization, looked at again for as long as it runs, without blocking the page. */
export class RampProgressBar extends Component {
    static template = "ramp_connector.RampProgressBar";
    static props = {
        resId: { type: [Number, Boolean], optional: true },
        runState: { type: [String, Boolean], optional: true }, // as the page knows it
        lastWatch: { type: [String, Boolean], optional: true }, // until there has been another nightly check than this
        look: { type: Number, optional: true }, // another number: something may have been requested since
        onMoved: { type: Function, optional: true }, // whenever there is something new
        onDone: { type: Function },
    };

    setup() {
        this.orm = useService("orm");
        this.requests = 0; // since the page was opened, as far as the page knows
        this.state = useState({ run_state: this.props.runState, progress: 0, text: "", outcome: "", done: 0, due: 0 });
        onWillStart(() => this.look());
        onWillUpdateProps((next) => {
            if (next.resId !== this.props.resId || (next.runState && next.runState !== "idle" && this.state.run_state === "idle")) {
                this.state.outcome = ""; // that of an earlier request
                return this.look(next);
            }
            if (next.look !== this.props.look) {
                this.requests++;
                if ((this.state.run_state || "idle") === "idle") {
                    this.lookAfterRequest(next); // the page does not wait for it
                }
            }
        });
        onWillUnmount(() => {
            this.gone = true;
            clearTimeout(this.timer);
        });
    }

    get label() {
        let text = this.state.run_state === "queued" ? _t("Synchronization queued...") : this.state.text;
        const { done, due } = this.state;
        if (due) {
            text = _t("%(progress)s Jobs finished: %(done)s of %(due)s.", { progress: text, done, due });
        }
        return this.state.outcome ? _t("%(progress)s So far: %(outcome)s", { progress: text, outcome: this.state.outcome }) : text;
    }

    get percent() {
        // Over all jobs of the request, if this user made one; else of the job that runs
        const { done, due, progress, run_state } = this.state;
        return due ? Math.min(100, Math.round((100 * done + (run_state === "running" ? progress : 0)) / due)) : Math.round(progress);
    }

    /** A short job may have ended since the page was read, and before this looks. */
    async lookAfterRequest(props) {
        await this.look(props);
        if (!this.gone && this.state.run_state === "idle") {
            await props.onDone();
        }
    }

    async look(props = this.props) {
        clearTimeout(this.timer);
        if (!props.resId || this.gone) {
            return;
        }
        const requests = this.requests;
        const [values] = await this.orm.silent.read("ramp.connection", [props.resId], FIELDS);
        if (this.gone) {
            return;
        }
        if (requests !== this.requests) {
            return this.look(); // this answer may be older than what was requested meanwhile
        }
        const before = this.state.run_state;
        const waits = props.lastWatch !== undefined && values.last_watch === props.lastWatch && !values.last_error;
        // Of the request of this user, but not of one that was over before the page was opened
        const outcome = before && before !== "idle" && values.sync_outcome;
        // The next job may not have begun, also when the page is opened
        const isBetweenJobs = values.sync_outcome && !values.sync_outcome.is_over;
        const state = values.run_state === "idle" && (waits || isBetweenJobs) ? "queued" : values.run_state;
        const hasMoved = outcome && outcome.text && outcome.text !== this.state.outcome;
        Object.assign(this.state, {
            run_state: state,
            progress: values.progress,
            text: values.progress_text || "",
            outcome: outcome ? outcome.text : this.state.outcome,
            done: outcome ? outcome.done : 0,
            due: outcome ? outcome.due : 0,
        });
        clearTimeout(this.timer);
        if (state !== "idle") {
            if (hasMoved && this.props.onMoved) {
                await this.props.onMoved();
            }
            this.timer = setTimeout(() => this.look(), INTERVAL);
        } else if (before && before !== "idle") {
            await this.props.onDone();
        }
    }
}

export class RampProgress extends Component {
    static template = "ramp_connector.RampProgress";
    static components = { RampProgressBar };
    static props = { ...standardFieldProps };

    get runState() {
        return this.props.record.data[this.props.name];
    }

    async reload() {
        if (!(await this.props.record.isDirty())) {
            await this.props.record.load(); // the counts and the last error have changed
        }
    }
}

/** Progress of the first synchronization, on the last page of the set-up assistant. It says what was done, even if it is over. */
export class RampSetupProgress extends Component {
    static template = "ramp_connector.RampSetupProgress";
    static components = { RampProgressBar };
    static props = { ...standardFieldProps };

    get connectionId() {
        return this.props.record.data[this.props.name]?.id || false;
    }

    done() {}
}

registry.category("fields").add("ramp_setup_progress", {
    component: RampSetupProgress,
    displayName: _t("Progress of the first synchronization"),
    supportedTypes: ["many2one"],
});
registry.category("fields").add("ramp_progress", {
    component: RampProgress,
    displayName: _t("Ramp synchronization progress"),
    supportedTypes: ["selection"],
});
