// The scanner against the reference over random rows: the same rows accepted, every value the same, every rejection with
// the same code, whichever path reads them. 50 k rows; a million with MILLRACE_TEST_ALL=1.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { valueAt } from '../../src/schema/batch.ts'
import { compileScanner, type Scan } from '../../src/schema/scan/scanner.ts'
import { decide, type Value, type Verdict } from './reference.ts'
import { Dice, everyKind, type Habit, lineOf } from './rows.ts'

const TOTAL = process.env['MILLRACE_TEST_ALL'] === '1' ? 1_000_000 : 50_000
const BATCH = 1000

const plain = (value: ReturnType<typeof valueAt>): Value => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value)
const rowValues = (scan: Scan, row: number): Value[] => scan.batch.columns.map((_, column) => plain(valueAt(scan.batch, column, row)))

function habitOf(dice: Dice): Habit {
  const fields = [...everyKind.fields]
  const order = dice.chance(0.5) ? fields : fields.sort(() => dice.next() - 0.5)
  const spaced = dice.chance(0.3)
  return { order, comma: spaced ? ', ' : ',', colon: spaced ? ': ' : ':', wild: dice.pick([0, 0.1, 1]) }
}

/** Compares one scan with what the reference said of each line. */
function compare(lines: readonly string[], verdicts: readonly Verdict[], scan: Scan): void {
  const rowOfLine = new Map(Array.from({ length: scan.batch.rows }, (_, row) => [scan.lines[row]!, row]))
  const rejectOfLine = new Map(scan.rejects.map((reject) => [reject.line, reject]))
  assert.equal(scan.lineCount, lines.length)
  for (const [index, line] of lines.entries()) {
    const row = rowOfLine.get(index)
    const reject = rejectOfLine.get(index)
    const expected = verdicts[index]!
    if (isBlank(line)) assert.ok(row === undefined && reject === undefined)
    else if ('code' in expected) assert.equal(reject?.code, expected.code, `${line}\n${reject?.message}`)
    else {
      assert.ok(row !== undefined, `${line}\nrejected: ${reject?.message}`)
      assertSame(rowValues(scan, row), expected.values, line)
    }
  }
}

const isBlank = (line: string): boolean => /^[ \t\r]*$/.test(line)

/** As `deepEqual`, which is slow, when they differ. */
function assertSame(actual: readonly Value[], expected: readonly Value[], line: string): void {
  if (actual.length !== expected.length || !actual.every((value, i) => Object.is(value, expected[i])))
    assert.deepEqual(actual, expected, line)
}

const count = (counts: Map<string, number>, key: string): void => void counts.set(key, (counts.get(key) ?? 0) + 1)

test(`${TOTAL} random rows as the reference decides`, () => {
  const counts = new Map<string, number>()
  for (let round = 0; round * BATCH < TOTAL; round++) {
    const dice = new Dice(round)
    const ignoreUnknown = dice.chance(0.3)
    const scanner = compileScanner(everyKind, { unknown: ignoreUnknown ? 'ignore' : 'reject' })
    const habits = Array.from({ length: 1 + dice.below(3) }, () => habitOf(dice))
    const text = Array.from({ length: BATCH }, () => lineOf(dice.pick(habits), dice)).join('\n')
    const input = Buffer.from(text)
    // A spoiled line may have fallen apart in two.
    const lines = text.split('\n')
    const scan = scanner.scan(input)
    const verdicts = lines.map((line) => decide(everyKind, line, ignoreUnknown))
    for (const [i, verdict] of verdicts.entries()) if (!isBlank(lines[i]!)) count(counts, 'code' in verdict ? verdict.code : 'accepted')
    compare(lines, verdicts, scan)
    // What the scanner has learnt by now must not change its mind, nor what other rows left in its arrays.
    scanner.scan(Buffer.from(lines.toReversed().join('\n')), { reuse: true })
    compare(lines, verdicts, scanner.scan(input, { reuse: true }))
    compareTrusted(scanner, input, scan, dice)
  }
  for (const code of [
    'accepted',
    'MR_ROW_JSON',
    'MR_ROW_UTF8',
    'MR_ROW_NOT_OBJECT',
    'MR_ROW_MISSING',
    'MR_ROW_UNKNOWN_FIELD',
    'MR_ROW_DUPLICATE_FIELD',
    'MR_ROW_TYPE',
    'MR_ROW_RANGE',
    'MR_ROW_ENUM',
  ]) {
    assert.ok((counts.get(code) ?? 0) > TOTAL / 2000, `${code}: only ${counts.get(code)} of ${TOTAL}`)
  }
})

/** The accepted lines, read again as trusted and projected, give the same values. */
function compareTrusted(scanner: ReturnType<typeof compileScanner>, input: Buffer, strict: Scan, dice: Dice): void {
  const good = Array.from(
    { length: strict.batch.rows },
    (_, row) => `${input.subarray(strict.lineStart[row]!, strict.lineEnd[row]!)}\n`,
  ).join('')
  const columns = everyKind.fields.map(({ name }) => name).filter(() => dice.chance(0.3))
  columns.sort(() => dice.next() - 0.5)
  for (let pass = 0; pass < 2; pass++) {
    const scan = scanner.scan(Buffer.from(good), { trusted: true, columns })
    assert.equal(scan.batch.rows, strict.batch.rows, scan.rejects[0]?.message)
    const picked = columns.map((name) => everyKind.fields.findIndex((field) => field.name === name))
    for (let row = 0; row < scan.batch.rows; row++) {
      const expected = picked.map((column) => plain(valueAt(strict.batch, column, row)))
      assertSame(rowValues(scan, row), expected, `row ${row} of\n${good}`)
    }
  }
}
