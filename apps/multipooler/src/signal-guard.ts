/** Signals that operators send to other poolers, and that would end a Node process. */
const HARMLESS_SIGNALS = ["SIGHUP", "SIGUSR1", "SIGUSR2"] as const satisfies NodeJS.Signals[];

/** A signal that the pooler only logs. */
export type HarmlessSignal = (typeof HARMLESS_SIGNALS)[number];

/** Options that open the debugger on purpose. `--inspect-port` alone does not. */
const INSPECTOR_WANTED = /(?:^|\s)--inspect(?:-brk|-wait)?(?:[\s=]|$)/;

/**
 * Keeps SIGHUP, SIGUSR1 and SIGUSR2 from ending the process, and SIGUSR1 from opening a debugger.
 *
 * The first statement of the program must construct it, before its modules are loaded. This file
 * therefore imports nothing. Node resets the disposition of all signals when it starts, so no parent
 * process can protect the few milliseconds before that.
 */
export class SignalGuard {
  /** Signals that arrived before `listen`. */
  readonly #early = new Set<HarmlessSignal>();
  #listener: ((name: HarmlessSignal) => void) | undefined;

  constructor() {
    for (const name of HARMLESS_SIGNALS) {
      process.on(name, this.#onSignal);
    }
    closeUnwantedInspector();
  }

  /** Calls `listener` for each signal, including earlier ones. */
  listen(listener: (name: HarmlessSignal) => void): void {
    this.#listener = listener;
    for (const name of this.#early) {
      listener(name);
    }
    this.#early.clear();
  }

  /**
   * Closes the debugger again if a SIGUSR1 arrived before the constructor ran. Node requests it twice
   * for one signal, and handles the second request in the first turn of the event loop.
   */
  async settle(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    closeUnwantedInspector();
  }

  /** Lets SIGHUP end the process: a command must end when its terminal is closed. */
  endOnHangup(): void {
    process.off("SIGHUP", this.#onSignal);
    if (this.#early.has("SIGHUP")) {
      process.kill(process.pid, "SIGHUP");
    }
  }

  readonly #onSignal = (name: HarmlessSignal): void => {
    if (this.#listener === undefined) {
      this.#early.add(name);
    } else {
      this.#listener(name);
    }
  };
}

/** Through the debugger every local user could run code in the pooler. */
function closeUnwantedInspector(): void {
  const options = [process.env["NODE_OPTIONS"] ?? "", ...process.execArgv];
  if (!process.features.inspector || options.some((option) => INSPECTOR_WANTED.test(option))) {
    return;
  }
  const inspector = process.getBuiltinModule("node:inspector");
  if (inspector.url() !== undefined) {
    inspector.close();
  }
}
