// Orders of keys, spacing, line ends, the growth of batches, projection, and bytes that should not have been trusted.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { valueAt } from '../../src/schema/batch.ts'
import { linesOfJson } from '../../src/schema/scan/document.ts'
import { compileScanner, type Scan } from '../../src/schema/scan/scanner.ts'
import type { Shape, Type } from '../../src/schema/type.ts'
import { Dice, everyKind, lineOf } from './rows.ts'

const shape: Shape = {
  fields: [
    { name: 'a', type: { kind: 'int' }, optional: true },
    { name: 'b', type: { kind: 'string' }, optional: false },
    { name: 'c', type: { kind: 'double' }, optional: true },
    { name: 'd', type: { kind: 'boolean' }, optional: false },
  ],
}

const valuesOf = ({ batch }: Scan): unknown[][] =>
  Array.from({ length: batch.rows }, (_, row) => batch.columns.map((_column, i) => valueAt(batch, i, row)))

/** Every order of the keys of a row. */
function permutations<T>(items: readonly T[]): T[][] {
  if (items.length <= 1) return [[...items]]
  return items.flatMap((item, i) => permutations(items.toSpliced(i, 1)).map((rest) => [item, ...rest]))
}

test('every order, with and without optional keys, compact, spaced and loose, again and again', () => {
  const members = [
    ['a', '7'],
    ['b', '"x"'],
    ['c', '1.5'],
    ['d', 'true'],
  ] as const // prettier-ignore
  const subsets = [members, members.slice(1), [members[1], members[3]], [members[0], members[1], members[3]]]
  const styles = [
    [',', ':'],
    [', ', ': '],
    [' ,', ' :'],
    [',\t', ':'],
  ] as const // prettier-ignore
  const lines: string[] = []
  const expected: unknown[][] = []
  for (const subset of subsets) {
    for (const order of permutations<readonly [string, string]>(subset)) {
      for (const [comma, colon] of styles) {
        lines.push(`{${order.map(([key, value]) => `"${key}"${colon}${value}`).join(comma)}}\n`)
        expected.push(members.map(([key, value]) => (subset.some(([name]) => name === key) ? JSON.parse(value) : null)))
      }
    }
  }
  const scanner = compileScanner(shape)
  const input = Buffer.from(lines.join(''))
  for (let i = 0; i < 4; i++) {
    const scan = scanner.scan(input)
    assert.deepEqual(scan.rejects, [])
    assert.deepEqual(valuesOf(scan), expected)
    for (const columns of [['c'], ['a'], ['d', 'a'], ['b'], []]) {
      const picked = columns.map((name) => shape.fields.findIndex((field) => field.name === name))
      const projected = scanner.scan(input, { trusted: true, columns })
      assert.deepEqual(
        valuesOf(projected),
        expected.map((row) => picked.map((column) => row[column])),
      ) // prettier-ignore
      assert.deepEqual(
        projected.batch.shape.fields.map(({ name }) => name),
        columns,
      ) // prettier-ignore
    }
  }
})

test('space before one value of a row that is compact otherwise, also before a null', () => {
  const int = { type: { kind: 'int' }, optional: true } as const
  const types: Readonly<Record<string, readonly [type: Type, value: string]>> = {
    n: [int.type, '1'],
    text: [{ kind: 'string' }, '"a"'],
    large: [{ kind: 'decimal', precision: 38, scale: 2 }, '1.50'],
    day: [{ kind: 'date' }, '"2026-11-27"'],
    any: [{ kind: 'json' }, '{"a":1}'],
    list: [{ kind: 'list', element: int }, '[1]'],
    map: [{ kind: 'map', key: { kind: 'string' }, value: int }, '{"a":1}'],
    struct: [{ kind: 'struct', fields: [{ name: 'a', ...int }] }, '{"a":1}'],
  }
  const names = Object.keys(types)
  const line = (values: Readonly<Record<string, string>> = {}): string =>
    `{${names.map((name) => `"${name}":${values[name] ?? types[name]![1]}`).join(',')}}`
  for (const optional of [true, false]) {
    const scanner = compileScanner({ fields: names.map((name) => ({ name, type: types[name]![0], optional })) })
    // The order is learned from compact rows; more follow, since the last ones are read by the exact path.
    const scanned = (row: string): Scan => scanner.scan(Buffer.from(`${[line(), line(), row, ...Array(40).fill(line())].join('\n')}\n`))
    for (const [index, name] of names.entries()) {
      const spaced = scanned(line({ [name]: ` ${types[name]![1]}` }))
      assert.deepEqual(valuesOf(spaced)[2], valuesOf(scanned(line()))[2], name)
      const none = scanned(line({ [name]: ' null' }))
      if (optional) assert.equal(valuesOf(none)[2]![index], null, name)
      else assert.deepEqual([none.rejects.map(({ line, code }) => [line, code])], [[[2, 'MR_ROW_MISSING']]], name)
    }
  }
})

test('lines: blank ones, CRLF, none at the end; ranges and indexes point at the input', () => {
  const input = Buffer.from(
    `\n{"b":"1","d":true}\r\n  \t\r\n{"b":"2","d":true} \n\n{"b":3}\n{"b":"4","d":true}\n${'\n'.repeat(300)}{"b":"5","d":false}`,
  )
  const scan = compileScanner(shape).scan(input)
  const text = (row: number): string => input.toString('utf8', scan.lineStart[row], scan.lineEnd[row])
  assert.deepEqual([0, 1, 2, 3].map(text), ['{"b":"1","d":true}', '{"b":"2","d":true} ', '{"b":"4","d":true}', '{"b":"5","d":false}'])
  assert.deepEqual([...scan.lines.subarray(0, 4)], [1, 3, 6, 307])
  assert.deepEqual(
    scan.rejects.map(({ line }) => line),
    [5],
  ) // prettier-ignore
  assert.equal(scan.lineCount, 308)
  for (const empty of ['', '\n', ' \n\r\n']) assert.equal(compileScanner(shape).scan(Buffer.from(empty)).batch.rows, 0)
})

test('ranges of rows that are left before their end, however much is left', () =>
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(400), fc.boolean()), { minLength: 1, maxLength: 30 }), (rows) => {
      const of: Shape = {
        fields: [
          { name: 'a', type: { kind: 'int' }, optional: false },
          { name: 'b', type: { kind: 'string' }, optional: false },
        ],
      }
      const lines = rows.map(
        ([length, isCrlf], i) => `{"a":${i},"b":"${'é'.repeat(length % 3)}${'x'.repeat(length)}"}${isCrlf ? '\r' : ''}\n`,
      )
      const input = Buffer.from(lines.join(''))
      const scanner = compileScanner(of)
      const [whole, left] = [scanner.scan(input), scanner.scan(input, { trusted: true, columns: ['a'] })]
      const rangesOf = ({ batch, lineStart, lineEnd }: Scan): number[][] =>
        Array.from({ length: batch.rows }, (_, row) => [lineStart[row]!, lineEnd[row]!])
      assert.equal(whole.batch.rows, rows.length)
      assert.deepEqual(rangesOf(left), rangesOf(whole))
      assert.deepEqual(
        valuesOf(left),
        rows.map((_, i) => [i]),
      )
    }),
  ))

test('a batch cut anywhere between lines gives the same rows', () => {
  const dice = new Dice(5)
  const habit = { order: everyKind.fields, comma: ',', colon: ':', wild: 0.1 }
  const lines = Array.from({ length: 60 }, () => `${lineOf(habit, dice).replaceAll('\n', ' ')}\n`)
  const scanner = compileScanner(everyKind)
  const whole = valuesOf(scanner.scan(Buffer.from(lines.join(''))))
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 60 }), (x, y) => {
      const cuts = [0, Math.min(x, y), Math.max(x, y), 60]
      const parts = [0, 1, 2].flatMap((i) => valuesOf(scanner.scan(Buffer.from(lines.slice(cuts[i], cuts[i + 1]).join('')))))
      assert.deepEqual(parts, whole)
    }),
    { numRuns: 40 },
  )
})

test('a batch grows when lines get shorter, and a view into a larger buffer is read in place', () => {
  const lines = [`{"b":"${'x'.repeat(5000)}","d":true}\n`, ...Array.from({ length: 3000 }, (_, i) => `{"a":${i},"b":"${i}","d":true}\n`)]
  const input = Buffer.from(`junk${lines.join('')}junk`)
  const view = new Uint8Array(input.buffer, input.byteOffset + 4, input.length - 8)
  const scan = compileScanner(shape).scan(view)
  assert.equal(scan.batch.rows, 3001)
  assert.deepEqual(
    [1, 1500, 3000].map((row) => [valueAt(scan.batch, 0, row), valueAt(scan.batch, 1, row)]),
    [
      [0, '0'],
      [1499, '1499'],
      [2999, '2999'],
    ],
  ) // prettier-ignore
})

test('longs beyond 2^53 widen the column, and only if such a row is good', () => {
  const scanner = compileScanner({
    fields: [
      { name: 'n', type: { kind: 'long' }, optional: false },
      { name: 'd', type: { kind: 'boolean' }, optional: false },
    ],
  }) // prettier-ignore
  const rows = (lines: string[]): Scan => scanner.scan(Buffer.from(lines.join('\n') + '\n'.repeat(300)))
  const narrow = rows(['{"n":1,"d":true}', '{"n":9223372036854775807,"d":5}', '{"n":2,"d":true}'])
  assert.deepEqual(
    [narrow.batch.columns[0]!.kind === 'integer' && narrow.batch.columns[0]!.big, valuesOf(narrow)],
    [
      null,
      [
        [1n, true],
        [2n, true],
      ],
    ],
  ) // prettier-ignore
  const wide = rows([
    '{"n":1,"d":true}',
    '{"n":9223372036854775807,"d":5}',
    '{"n":-3,"d":true}',
    '{"n":"-9223372036854775808","d":true}',
    '{"n":4,"d":true}',
  ])
  assert.deepEqual(valuesOf(wide), [
    [1n, true],
    [-3n, true],
    [-9223372036854775808n, true],
    [4n, true],
  ]) // prettier-ignore
})

test('texts with quotes, backslashes and bytes of 128 and more anywhere, read and passed over', () => {
  const texts: Shape = {
    fields: ['a', 'b', 'c'].map((name) => ({ name, type: { kind: name === 'b' ? 'string' : 'int' }, optional: false })),
  }
  const part = fc.oneof(
    fc.constantFrom('"', '\\', '\\"', '\\\\"', 'é', '\u{1f600}', '\u0080', '\n', '!', '#', ']', '[', ','),
    fc.nat(20).map((length) => 'x'.repeat(length)),
  )
  const text = fc.array(part, { maxLength: 8 }).map((parts) => parts.join(''))
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 40 }), (values) => {
      const scanner = compileScanner(texts)
      // Rows at the end have no room behind them for the loops.
      const rows = [...values, ...Array.from({ length: 30 }, () => 'end')]
      const input = Buffer.from(rows.map((b, a) => `${JSON.stringify({ a, b, c: a + 1 })}\n`).join(''))
      const all = scanner.scan(input)
      assert.deepEqual(all.rejects, [])
      assert.deepEqual(
        valuesOf(all),
        rows.map((b, a) => [a, b, a + 1]),
      )
      assert.deepEqual(valuesOf(scanner.scan(input, { trusted: true })), valuesOf(all))
      const without = scanner.scan(input, { trusted: true, columns: ['a', 'c'] })
      assert.deepEqual(
        valuesOf(without),
        rows.map((_, a) => [a, a + 1]),
      )
    }),
  )
})

test('untrustworthy bytes read as trusted end, and give no more rows than lines', () => {
  const scanner = compileScanner(everyKind)
  const habit = { order: everyKind.fields, comma: ',', colon: ':', wild: 0 }
  for (let seed = 0; seed < 200; seed++) {
    const dice = new Dice(seed)
    const input = Buffer.from(Array.from({ length: 20 }, () => `${lineOf(habit, dice)}\n`).join(''))
    for (let i = 0; i < 40; i++) input[dice.below(input.length)] = dice.chance(0.5) ? dice.pick([34, 92, 10, 125, 44]) : dice.below(256)
    const columns = everyKind.fields.map(({ name }) => name).filter(() => dice.chance(0.4))
    const { batch, rejects, lineCount } = scanner.scan(input, { trusted: true, columns })
    assert.ok(batch.rows + rejects.length <= lineCount)
  }
  assert.throws(() => scanner.scan(Buffer.from('{}'), { trusted: true, columns: ['nope'] }), { code: 'MR_DEFINE_COLUMN' })
})

test('a document and its lines hold the same rows', () => {
  const rows = [
    { a: 1, b: 'x\ny', d: true },
    { b: '[', d: false },
  ] // prettier-ignore
  const texts = [
    JSON.stringify(rows),
    JSON.stringify(rows, null, 2),
    ` \r\n[ ${rows.map((row) => JSON.stringify(row, null, '\t')).join('\n,\n')}\n]\n`,
  ]
  for (const text of texts) {
    const lines = linesOfJson(Buffer.from(text))
    const scan = compileScanner(shape).scan(lines)
    assert.deepEqual(valuesOf(scan), [
      [1, 'x\ny', null, true],
      [null, '[', null, false],
    ]) // prettier-ignore
    assert.equal(scan.lineCount, 2)
  }
  assert.equal(Buffer.from(linesOfJson(Buffer.from(' {"a":\n1}\n'))).toString(), '{"a":1}\n')
  assert.equal(linesOfJson(Buffer.from('[]')).length, 0)
  const bad = {
    '': /the body is empty/,
    '5': /byte 0: an object or an array/,
    '[{}': /byte 3: a comma or \]/,
    '[{},]': /byte 4: a value/,
    '{} {}': /byte 3: the body goes on/,
    '\ufeff{}': /byte 0/,
    '{"a":1,}': /byte 7: a key/,
  } // prettier-ignore
  for (const [text, message] of Object.entries(bad))
    assert.throws(() => linesOfJson(Buffer.from(text)), { code: 'MR_INGEST_BODY', message }, text)
  assert.throws(() => linesOfJson(Buffer.from([0x7b, 0xff, 0x7d])), { code: 'MR_INGEST_BODY', message: /UTF-8/ })
})
