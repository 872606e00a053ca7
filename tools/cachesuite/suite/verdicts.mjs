// Reads the suite's results from stdin and writes, one a line in JSON, what became of each test, as the suite judges it.
// The tests of Surrogate-Control, which no RFC has, are no part of its count.
import { readFileSync } from 'node:fs'
import suites from 'http-cache-tests/tests/index.mjs'
import { determineTestResult } from 'http-cache-tests/lib/display.mjs'

const results = JSON.parse(readFileSync(0, 'utf8'))
for (const suite of suites) {
  for (const test of suite.tests) {
    if (test.browser_only) continue
    const sign = determineTestResult(suites, test.id, results, true)[2]
    const outcome = { '✅': 'pass', Y: 'pass', '⛔️': 'fail', '⚠️': 'fail', N: 'fail', '⚪️': 'dependency', '-': 'untested' }[sign] ?? 'setup'
    const detail = Array.isArray(results[test.id]) ? String(results[test.id][1]) : ''
    console.log(JSON.stringify({ suite: suite.name, id: test.id, name: test.name, kind: test.kind ?? 'required', outcome, detail }))
  }
}
