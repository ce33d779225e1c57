import { printable } from "@multipooler/text-table";

/** Writes lines to standard output and error. That one cannot be written ends nothing. */
export class ProgramOutput {
  #hasFailed = false;

  constructor() {
    process.stdout.on("error", (error: NodeJS.ErrnoException) => {
      // The reader closed the output (`| head`): that is no fault.
      if (error.code !== "EPIPE" && !this.#hasFailed) {
        this.#hasFailed = true;
        this.complain(`the output cannot be written: ${error.message}`);
        process.exitCode = process.exitCode === 0 ? 1 : process.exitCode;
      }
    });
    process.stderr.on("error", () => undefined);
  }

  /** Whether something could not be written so far. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  readonly print = (line: string): void => {
    process.stdout.write(`${shown(line)}\n`);
  };

  readonly complain = (line: string): void => {
    process.stderr.write(`pgctld: ${shown(line)}\n`);
  };
}

/** What servers and their programs say may have several lines, and controls no terminal. */
function shown(text: string): string {
  return text.split("\n").map(printable).join("\n");
}
