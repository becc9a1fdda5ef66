'use strict';

/** Jest reporter: closes every run with one plain line that people and CI can read. */
class SummaryLine {
  onRunComplete(_contexts, results) {
    const skipped = results.numPendingTests + results.numTodoTests;
    this.line = `${results.numPassedTests} passed, ${results.numFailedTests} failed, ${skipped} skipped`;
    // Jest's own summary goes to stderr from the same tick; wait for it so that this line stands last.
    process.on('exit', () => process.stdout.write(`${this.line}\n`));
  }
}

module.exports = SummaryLine;
