import { InvalidArgumentError } from "commander";

/** The value of an option that is a term. */
export function termNumber(text: string): bigint {
  requireDigits(text, /^[0-9]{1,18}$/);
  return BigInt(text);
}

/** The value of an option that counts something. */
export function wholeNumber(text: string): number {
  requireDigits(text, /^[0-9]{1,9}$/);
  return Number(text);
}

function requireDigits(text: string, digits: RegExp): void {
  if (!digits.test(text)) {
    throw new InvalidArgumentError("It must be a whole number from 0.");
  }
}
