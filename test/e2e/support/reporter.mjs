// Prints a line for each test, what went wrong for each that failed, and "N passed, N failed" last.
//
// SPDX-License-Identifier: MIT
import { inspect } from "node:util";

// Suites and files are no tests, but a file that cannot be loaded is a failure.
const isTest = ({ name, details }) => details.type !== "suite" && !name.endsWith("_test.mjs");

export default async function* report(events) {
  const failures = [];
  let passed = 0;
  let skipped = 0;
  for await (const { type, data } of events) {
    if (type === "test:diagnostic" || (type !== "test:pass" && type !== "test:fail")) continue;
    if (data.skip !== undefined) {
      skipped += 1;
      yield `skipped  ${data.name}: ${data.skip}\n`;
    } else if (type === "test:pass" && isTest(data)) {
      passed += 1;
      yield `ok       ${data.name} (${Math.round(data.details.duration_ms)} ms)\n`;
    } else if (type === "test:fail" && data.details.error?.failureType !== "subtestsFailed") {
      failures.push(data);
      yield `FAILED   ${data.name}\n`;
    }
  }
  for (const { name, file, details } of failures) {
    yield `\n---- ${name}${file ? ` (${file})` : ""}\n${inspect(details.error?.cause ?? details.error)}\n`;
  }
  yield skipped ? `\n${skipped} skipped` : "";
  yield `\n${passed} passed, ${failures.length} failed\n`;
}
