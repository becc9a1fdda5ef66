'use strict';

/** Jest reporter: ends every run with one plain line that people and CI can read. */
class SummaryLine {
  onRunComplete(_contexts, results) {
    const skipped = results.numPendingTests + results.numTodoTests;
    this.line = `${results.numPassedTests} passed, ${results.numFailedTests} failed, ${skipped} skipped`;
    // Jest prints its own summary to stderr in the same tick; wait for it so that this line comes last.
    process.on('exit', () => process.stdout.write(`${this.line}\n`));
  }
}

module.exports = SummaryLine;
