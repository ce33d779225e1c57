import { decodeParameterStatus } from "@multipooler/query-service";
import { protocolViolation } from "../error.ts";

/** Far more settings than any PostgreSQL reports; a bound for a peer that is none. */
const MAX_PARAMETERS = 1000;

/** Names and values together, in characters. */
const MAX_PARAMETER_CHARACTERS = 1_048_576;

/** The settings of a session that the server reports, at start-up and at each change. */
export class ServerParameters {
  /** Replaced with each change, so that who keeps one can tell whether something has changed. */
  #values: ReadonlyMap<string, string> = new Map();
  #characters = 0;

  get values(): ReadonlyMap<string, string> {
    return this.#values;
  }

  /**
   * Records a ParameterStatus message, and returns what it says.
   *
   * @throws PROTOCOL_VIOLATION beyond 1000 settings, or 1 MiB of them; MalformedMessageError
   */
  record(message: Uint8Array): { readonly name: string; readonly value: string } {
    const { name, value } = decodeParameterStatus(message);
    const former = this.#values.get(name);
    if (former === value) {
      return { name, value };
    }
    this.#characters += value.length - (former?.length ?? -name.length);
    this.#values = new Map(this.#values).set(name, value);
    if (this.#values.size > MAX_PARAMETERS) {
      throw protocolViolation(`the server reports more than ${MAX_PARAMETERS} settings`);
    }
    if (this.#characters > MAX_PARAMETER_CHARACTERS) {
      throw protocolViolation(
        `the settings that the server reports exceed ${MAX_PARAMETER_CHARACTERS} characters`,
      );
    }
    return { name, value };
  }
}
