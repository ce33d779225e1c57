import { runProcess } from "./process.mjs";

/** Steps that are quicker than this are not worth a line. */
const QUIET_MS = 700;

/** A step of the set-up failed; the message is all that there is to say. */
export class StepFailure extends Error {
  /**
   * @param {string} message
   * @param {number} code
   */
  constructor(message, code) {
    super(message);
    this.exitCode = code;
  }
}

/**
 * Runs one step of the set-up. A long one is announced and gets its duration; a failed one shows
 * its whole output.
 *
 * @param {string} title
 * @param {string} file
 * @param {readonly string[]} args
 * @param {{ env: NodeJS.ProcessEnv, cwd?: string }} options
 * @returns {Promise<string>} what the program printed
 */
export async function runStep(title, file, args, options) {
  const progress = announce(title, process.stderr);
  try {
    const end = await runProcess(file, args, { ...options, stdio: "collect" });
    if (end.interrupted !== undefined) {
      throw new StepFailure(`interrupted while ${title}`, end.interrupted);
    }
    if (end.code !== 0) {
      throw new StepFailure(`${end.output.trim()}\n${title}: failed`, end.code);
    }
    return end.output;
  } catch (error) {
    if (error instanceof StepFailure) {
      throw error;
    }
    throw new StepFailure(`${title}: ${error instanceof Error ? error.message : String(error)}`, 1);
  } finally {
    progress.end();
  }
}

/**
 * Writes "title … duration" on one line; on a terminal the elapsed time runs in it.
 *
 * @param {string} title
 * @param {NodeJS.WriteStream} stream
 */
function announce(title, stream) {
  const start = performance.now();
  let announced = false;
  const timer = setInterval(() => {
    if (!announced) {
      stream.write(`${title} …`);
    } else if (stream.isTTY) {
      stream.write(`\r${title} … ${Math.round((performance.now() - start) / 1000)} s`);
    }
    announced = true;
  }, QUIET_MS);
  return {
    end() {
      clearInterval(timer);
      if (!announced) {
        return;
      }
      const seconds = ((performance.now() - start) / 1000).toFixed(1);
      stream.write(`${stream.isTTY ? `\r${title} …` : ""} ${seconds} s\n`);
    },
  };
}
