// For tests of expressions: columns of every type with the values that break things, and a writer of random SQL over them.
import { integer, type Random } from '../../src/core/random.ts'
import type { LaneValue } from '../../src/engine/testing.ts'
import { Decimal } from '../../src/schema/decimal.ts'
import type { Type } from '../../src/schema/type.ts'

const decimal = (precision: number, scale: number): Type => ({ kind: 'decimal', precision, scale })

/** Columns of every type, and the values that break things. */
export const COLUMNS: Readonly<Record<string, { readonly type: Type; readonly values: readonly LaneValue[] }>> = {
  b: { type: { kind: 'boolean' }, values: [0, 1] },
  i: { type: { kind: 'int' }, values: [0, 1, -1, 7, 1000, 2147483647, -2147483648, 46341, 5, -13] },
  j: { type: { kind: 'int' }, values: [0, 1, -1, 3, 12, 100, -7, 2147483647] },
  l: {
    type: { kind: 'long' },
    values: [0n, 1n, -1n, 9007199254740991n, -9007199254740991n, 9007199254740993n, 9223372036854775807n, -9223372036854775808n, 123456n],
  },
  m: { type: { kind: 'long' }, values: [0n, 1n, -3n, 250n, 86_400n, 3_037_000_500n, 94_906_267n] },
  p: { type: decimal(12, 2), values: [0n, 1n, -1n, 150n, -255n, 999_999_999_999n, 1_005n, 250n] },
  q: { type: decimal(6, 4), values: [0n, 1n, -12_345n, 999_999n, 5_000n, 15_000n] },
  w: {
    type: decimal(30, 4),
    values: ['0', '10000', '-123456789012345678901234', '99999'].map((text) => Buffer.from(new Decimal(BigInt(text), 4).toString())),
  },
  d: {
    type: { kind: 'double' },
    values: [
      0,
      -0,
      1,
      -1.5,
      0.1,
      2.5,
      3.5,
      1e300,
      -1e300,
      1e-300,
      5e-324,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      2 ** 53,
      1e16,
      123456.789,
      0.5,
    ],
  },
  e: { type: { kind: 'double' }, values: [0, 1, 2, -3.25, 10, 0.49999999999999994, Number.NaN] },
  f: { type: { kind: 'float' }, values: [0, 1, Math.fround(0.1), Math.fround(-3.3), Math.fround(1e30), Number.NaN] },
  s: {
    type: { kind: 'string' },
    values: [
      '',
      'a',
      'abc',
      'Hello, World',
      'é',
      'straße',
      '🤦🏼x',
      'a%b_c',
      '  pad ',
      'İK',
      '12',
      ' -3.5 ',
      '1e3',
      'a,b,,c',
      'ΑΣ',
      '\ud83d\ude00',
      '\uffee',
      'line\nend',
      '\u212a\u0131\u017f',
      '\u00a0\u3000x y\u2003 ',
      'abababc',
      '-7',
      '2147483648',
      '999999999999999',
      '9223372036854775808',
      '-0',
      '007',
      '-',
      'é,🤦🏼,ab,,',
      'The quick brown fox, jumps over; the lazy dog, and comes back, abc',
    ].map((text) => Buffer.from(text)),
  },
  t: { type: { kind: 'string' }, values: ['', 'a', 'b', 'l', ',', 'World', 'é', 'ab'].map((text) => Buffer.from(text)) },
  u: {
    type: { kind: 'uuid' },
    values: ['00000000-0000-0000-0000-000000000000', 'f47ac10b-58cc-4372-a567-0e02b2c3d479', '8fffffff-ffff-ffff-ffff-ffffffffffff'].map(
      (text) => Buffer.from(text),
    ),
  },
  y: { type: { kind: 'date' }, values: [0, -1, 19_000, 11_016, 11_015, -700_000, 20_000, 18_321] },
  z: {
    type: { kind: 'timestamp' },
    values: [0n, -1n, 1_700_000_000_123_456n, 951_782_399_999_999n, -2_208_988_800_000_000n, 1_709_164_800_000_000n],
  },
  c: {
    type: { kind: 'datetime' },
    values: [0n, -1n, 1_700_000_000_123_456n, 951_782_399_999_999n, -2_208_988_800_000_000n, 1_709_210_000_000_000n],
  },
  o: { type: { kind: 'time' }, values: [0n, 86_399_999_999n, 3_600_000_000n, 1_500_000n] },
  x: {
    type: { kind: 'json' },
    values: [
      '{"a":1,"b":{"c":[1,2.50,"x"]}}',
      '{"a":null,"b":"t\\u00e9xt"}',
      '[1,2]',
      '{"a":{"z": 1e2, "y":[ ]}}',
      '3',
      ' { "b" : [ 1 , {"c":"]}\\""} ] ,\n "a" : "x\\"y" } ',
      '{"b":{"c":[]},"a":{}}',
      '"a"',
      'null',
      '[[1,[2,"a"]],null]',
      '{}',
      '{"\\u0061":"é","a":6,"a":7}',
    ].map((text) => Buffer.from(text)),
  },
}

/** SQL of a random expression by what it gives. */
export class Writer {
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  #pick<T>(...of: readonly T[]): T {
    return of[integer(this.#random, of.length)]!
  }

  any(depth: number): string {
    return this.#pick(
      () => this.bool(depth),
      () => this.whole(depth),
      () => this.number(depth),
      () => this.number(depth),
      () => this.text(depth),
      () => this.text(depth),
      () => this.instant(depth),
      () => this.clock(depth),
      () => this.date(depth),
      () => this.long(depth),
    )()
  }

  bool(depth: number): string {
    if (depth <= 0) return this.#pick('b', 'b', 'true', 'false', '(i IS NULL)', '(NULL::BOOLEAN)')
    const d = depth - 1
    const op = this.#pick('=', '<>', '<', '<=', '>', '>=', 'IS DISTINCT FROM', 'IS NOT DISTINCT FROM')
    return this.#pick(
      () => `(${this.bool(d)} AND ${this.bool(d)})`,
      () => `(${this.bool(d)} OR ${this.bool(d)})`,
      () => `(NOT ${this.bool(d)})`,
      () => `(${this.number(d)} ${op} ${this.number(d)})`,
      () => `(${this.number(d)} ${op} ${this.number(d)})`,
      () => `(${this.text(d)} ${op} ${this.text(d)})`,
      () => `(${this.instant(d)} ${op} ${this.#pick(this.instant(d), this.date(d), "'2024-02-29'", "'1999-12-31 23:59:59.5+00'")})`,
      () =>
        `(${this.clock(d)} ${op} ${this.#pick(this.clock(d), this.instant(d), this.date(d), "'2024-02-29 12:33:20'", "TIMESTAMP '2024-02-29 12:33:20'")})`,
      () => `(u ${op} ${this.#pick('u', "'f47ac10b-58cc-4372-a567-0e02b2c3d479'")})`,
      () => `(o ${op} ${this.#pick('o', "TIME '01:00:00'")})`,
      () => `(${this.number(d)} IS ${this.#pick('', 'NOT ')}NULL)`,
      () => `(${this.text(d)} IS ${this.#pick('', 'NOT ')}NULL)`,
      () => `(${this.whole(d)} ${this.#pick('', 'NOT ')}IN (1, ${integer(this.#random, 9)}, ${this.#pick('7', 'NULL', '-1')}))`,
      () => `(${this.text(d)} ${this.#pick('', 'NOT ')}IN ('abc', 'é', ${this.#pick("'a'", 'NULL')}))`,
      () => `(${this.#cased()} ${this.#pick('=', '<>', '<', '>=')} ${this.#part()})`,
      () => `(${this.#cased()} ${this.#pick('', 'NOT ')}IN (${this.#part()}, 'is', 'IS', 'ik', 'STRAẞE', ${this.#part()}))`,
      () => `(${this.#cased()} IN ('abc', 'é', 'a', 'b', 'ik', 'k', 'IS', 'STRASSE', 'straße', '', 'ab', 'İK', '12'))`,
      () => `${this.#pick('contains', 'starts_with', 'ends_with')}(${this.#pick('s', this.text(d))}, ${this.#part()})`,
      () =>
        `(${this.#pick('s', this.text(d))} LIKE ${this.#pick("'abc'", "'%'", "''", "'%bab%c'", "'a%b%'", "'%,%,%'", "'%é'", "'%lo%W%'", "'T%the%abc'")})`,
      () => `(${this.number(d)} ${this.#pick('', 'NOT ')}BETWEEN ${this.number(d)} AND ${this.number(d)})`,
      () =>
        `(${this.text(d)} ${this.#pick('', 'NOT ')}${this.#pick('LIKE', 'ILIKE')} ${this.#pick("'a%'", "'%l_'", "'%B_c'", "'_'", "'%é%'", "'ik'").replace(/.*é.*/, "'%e%'")})`,
      () => `regexp_matches(${this.text(d)}, ${this.#pick("'^[a-c]+$'", "'l{2}'", "'(a|b),'", "'\\d'", "'.e'", "'\\w$'")})`,
      () => `${this.#pick('contains', 'starts_with', 'ends_with', 'prefix', 'suffix')}(${this.text(d)}, ${this.text(d)})`,
      () => `${this.#pick('isnan', 'isinf')}(${this.#pick('d', 'e', 'f')})`,
      () => `CAST(${this.whole(d)} AS BOOLEAN)`,
      () => this.#either(d, (inner) => this.bool(inner)),
    )()
  }

  whole(depth: number): string {
    if (depth <= 0) return this.#pick('i', 'i', 'j', 'j', '1', '-7', '2147483647', 'nullif(i, i)')
    const d = depth - 1
    return this.#pick(
      () => `(${this.whole(d)} ${this.#pick('+', '-', '*', '//', '%')} ${this.whole(d)})`,
      () => `(${this.whole(d)} ${this.#pick('+', '-', '*', '//', '%')} ${this.whole(d)})`,
      () => `(- ${this.whole(d)})`,
      () => `abs(${this.whole(d)})`,
      () => `${this.#cast()}(${this.number(d)} AS INTEGER)`,
      () => `${this.#cast()}(${this.text(d)} AS INTEGER)`,
      () => `CAST(${this.bool(d)} AS INTEGER)`,
      () => this.#either(d, (inner) => this.whole(inner)),
    )()
  }

  long(depth: number): string {
    if (depth <= 0) return this.#pick('l', 'm', 'm', '5000000000', 'CAST(i AS BIGINT)')
    const d = depth - 1
    const dated = this.#pick(this.instant(d), this.date(d), this.clock(d))
    return this.#pick(
      () => `(${this.long(d)} ${this.#pick('+', '-', '*', '//', '%')} ${this.#pick(this.long(d), this.whole(d))})`,
      () => `${this.#pick('length', 'strlen')}(${this.text(d)})`,
      () => `${this.#pick('strpos', 'instr')}(${this.text(d)}, ${this.#pick(this.text(d), this.#part())})`,
      () => `(length(s) - ${this.#pick('length', 'strlen')}(replace(s, ${this.#part()}, ${this.#pick("''", "'$&'", "'éé'")})))`,
      () =>
        `date_part('${this.#pick('year', 'quarter', 'month', 'week', 'day', 'doy', 'dow', 'isodow', 'hour', 'minute', 'second', 'millisecond', 'microsecond')}', ${dated})`,
      () => `extract(${this.#pick('year', 'month', 'hour', 'second')} FROM ${this.instant(d)})`,
      () => `${this.#pick('year', 'month', 'dayofweek')}(${dated})`,
      () => `${this.#pick('epoch_ms', 'epoch_us')}(${this.#pick(this.instant(d), this.clock(d))})`,
      () => `(${this.date(d)} - ${this.date(d)})`,
      () =>
        `${this.#pick('date_diff', 'datediff')}('${this.#pick('year', 'quarter', 'months', 'day', 'hour', 'minute', 'second', 'millisecond', 'microseconds')}', ${this.#pick(`${this.instant(d)}, ${this.instant(d)}`, `${this.clock(d)}, ${this.clock(d)}`)})`,
      () => `date_diff('${this.#pick('year', 'quarter', 'month', 'day')}', ${this.date(d)}, ${this.date(d)})`,
      () => `(${this.whole(d)} ${this.#pick('%', '//')} ${this.#pick('7', '-3')})`,
      () => `${this.#cast()}(${this.number(d)} AS BIGINT)`,
      () => `${this.#cast()}(${this.text(d)} AS BIGINT)`,
      () => this.#either(d, (inner) => this.long(inner)),
    )()
  }

  decimal(depth: number): string {
    if (depth <= 0) return this.#pick('p', 'q', 'w', '0.908', '-1.5', '10.00')
    const d = depth - 1
    return this.#pick(
      () => `(${this.decimal(0)} ${this.#pick('+', '-', '*', '%')} ${this.#pick(this.decimal(0), this.whole(0), this.long(0))})`,
      () => `(${this.#pick('p', 'q')} ${this.#pick('+', '-', '*')} ${this.#pick('p', 'q', '1.5', 'i')})`,
      () => `(- ${this.decimal(d)})`,
      () => `abs(${this.decimal(d)})`,
      () => `${this.#pick('floor', 'ceil', 'round', 'trunc')}(${this.#pick('p', 'q')})`,
      () => `round(${this.#pick('p', 'q')}, ${integer(this.#random, 4)})`,
      () => `${this.#cast()}(${this.number(d)} AS DECIMAL(${this.#pick('18, 3', '10, 1', '38, 6', '5, 4')}))`,
      // DuckDB rounds texts such as 5e-9 up to 0.01: none with a negative exponent.
      () =>
        `${this.#cast()}(${this.#pick('s', 't', 'trim(s)', 'left(s, 2)')} AS DECIMAL(${this.#pick('8, 2', '18, 4', '5, 0', '4, 3', '38, 10')}))`,
      () => this.#either(d, () => this.#pick('p', 'q')),
    )()
  }

  real(depth: number): string {
    if (depth <= 0) return this.#pick('d', 'e', 'f', '1e3', '2.5::DOUBLE')
    const d = depth - 1
    return this.#pick(
      () => `(${this.real(d)} ${this.#pick('+', '-', '*', '%', '/')} ${this.number(d)})`,
      () => `(${this.number(d)} / ${this.number(d)})`,
      () => `(- ${this.real(d)})`,
      () => `${this.#pick('abs', 'floor', 'ceil', 'round', 'trunc')}(${this.real(d)})`,
      () => `round(${this.#pick('d', 'e')}, ${integer(this.#random, 5)})`,
      () => `${this.#cast()}(${this.number(d)} AS ${this.#pick('DOUBLE', 'DOUBLE', 'FLOAT')})`,
      () => `TRY_CAST(${this.text(d)} AS DOUBLE)`,
      () => `${this.#pick("date_part('epoch', ", 'epoch(')}${this.instant(d)})`,
      () => this.#either(d, (inner) => this.real(inner)),
    )()
  }

  number(depth: number): string {
    return this.#pick(
      () => this.whole(depth),
      () => this.long(depth),
      () => this.decimal(depth),
      () => this.real(depth),
    )()
  }

  text(depth: number): string {
    if (depth <= 0) return this.#pick('s', 's', 't', "'ab'", "'é'")
    const d = depth - 1
    const size = (): string => this.#pick('0', '1', '2', '-1', '-2', '5', 'j')
    return this.#pick(
      () => `${this.#pick('lower', 'upper', 'trim', 'ltrim', 'rtrim')}(${this.text(d)})`,
      () => `(${this.text(d)} || ${this.#pick(this.text(d), this.whole(d))})`,
      () => `concat(${this.text(d)}, ${this.whole(d)}, ${this.bool(d)})`,
      () => `replace(${this.text(d)}, ${this.text(d)}, ${this.text(d)})`,
      () => `substring(${this.text(d)}, ${size()}, ${size()})`,
      () => `substring(${this.text(d)}, ${size()})`,
      () => `${this.#pick('left', 'right')}(${this.text(d)}, ${size()})`,
      () => `repeat(${this.text(d)}, ${this.#pick('0', '2', '-1')})`,
      () => `${this.#pick('lpad', 'rpad')}(${this.text(d)}, ${this.#pick('0', '3', '6', '-1')}, ${this.#pick("'xy'", "'é'", 't')})`,
      () => `split_part(${this.text(d)}, ${this.#pick("','", 't', this.#part())}, ${size()})`,
      () => `(split_part(s, ',', ${size()}) || split_part(s, ',', ${size()}) || split_part(s, ',', ${size()}))`,
      () => `split_part(split_part(s, ${this.#part()}, 2), ${this.#part()}, ${size()})`,
      () => `replace(${this.text(d)}, ${this.#part()}, ${this.text(d)})`,
      () =>
        `regexp_extract(${this.text(d)}, ${this.#pick("'b+'", "'^.', 0", "'([a-z])(.)?', 2", "'(,|^)(?:a|é)?([^,]*)', 2", "'(x)|l', 1")})`,
      () =>
        `regexp_replace(${this.text(d)}, ${this.#pick("'l', ''", "'(.)(b)', '<\\2$1\\\\\\0>'", "'[ab]', '$&', 'g'", "'x*', '-'", "'(l)|é', '\\11', 'g'", "'$', '!'")})`,
      () =>
        `CAST(${this.#pick(this.whole(d), this.long(d), this.decimal(d), 'd', 'e', this.bool(d), this.date(d), this.instant(d), this.clock(d), 'o', 'u')} AS VARCHAR)`,
      () =>
        `(concat('{"a": ', ${this.#pick('coalesce(i, 0)', "'[true, ', coalesce(i, 0), ']'")}, ', "b":"', t, '"}') ->> ${this.#pick("'$.a'", "'$.a[1]'", "'b'")})`,
      () => `(CASE WHEN b THEN x ELSE '[1, 2]' END ->> ${this.#pick("'$.a'", "'$[1]'")})`,
      () => `CAST(TRY_CAST(${this.decimal(d)} AS DECIMAL(${this.#pick('4, 4', '3, 1', '20, 20')})) AS VARCHAR)`,
      () => `(x ->> ${this.#pick("'$.a'", "'$.b.c[1]'", "'b'", "'$[0]'", "'$.b'", "'$'", "'$.b.c[2]'")})`,
      () =>
        `strftime(${this.#pick(this.date(d), this.instant(d), this.clock(d))}, '${this.#pick('%Y-%m-%d', '%H:%M:%S.%f', '%-d.%-m.%y %-I %p', 'day %j, %a %b %%', '%A %B %I:%M %g', '%w%u %-j %-H%-M%-S', '%y-%-y')}')`,
      () => `${this.#pick('dayname', 'monthname')}(${this.#pick(this.date(d), this.instant(d), this.clock(d))})`,
      () => this.#either(d, (inner) => this.text(inner)),
    )()
  }

  /** A text that occurs in others. */
  #part(): string {
    return this.#pick("'a'", "'ab'", "'abc'", "', '", "','", "'é'", "'k'", "'ik'", "''", "'🤦🏼'", "'lo, W'", "'the'", "'abab'")
  }

  #cased(): string {
    return `${this.#pick('lower', 'upper')}(${this.#pick('s', 's', 't', 'trim(s)', 'left(s, 2)')})`
  }

  date(depth: number): string {
    if (depth <= 0) return this.#pick('y', 'y', "DATE '2024-02-29'")
    const d = depth - 1
    return this.#pick(
      () => `(${this.date(d)} ${this.#pick('+', '-')} ${this.#pick('1', '-30', 'CAST(b AS INTEGER)')})`,
      () => `CAST(${this.#pick(this.instant(d), this.clock(d))} AS DATE)`,
      () => `last_day(${this.#pick(this.date(d), this.instant(d), this.clock(d))})`,
      () => this.#either(d, (inner) => this.date(inner)),
    )()
  }

  instant(depth: number): string {
    if (depth <= 0) return this.#pick('z', 'z', "TIMESTAMPTZ '2024-02-29 12:30:00.25+00'")
    const d = depth - 1
    return this.#pick(
      () =>
        `(${this.instant(d)} ${this.#pick('+', '-')} INTERVAL ${this.#pick('1 HOUR', '90 SECOND', '1 MONTH', '13 MONTH', '1 YEAR', '2 WEEK', "'1 day 3 hours'")})`,
      () =>
        `date_trunc('${this.#pick('year', 'quarter', 'month', 'week', 'day', 'hour', 'minute', 'second', 'millisecond')}', ${this.instant(d)})`,
      () => `time_bucket(INTERVAL ${this.#pick('7 MINUTE', '1 DAY', '5 HOUR')}, ${this.instant(d)})`,
      () => `CAST(${this.#pick(this.date(d), this.clock(d))} AS TIMESTAMPTZ)`,
      () => this.#either(d, (inner) => this.instant(inner)),
    )()
  }

  clock(depth: number): string {
    if (depth <= 0) return 'c'
    const d = depth - 1
    return this.#pick(
      () =>
        `(${this.clock(d)} ${this.#pick('+', '-')} INTERVAL ${this.#pick('1 HOUR', '90 SECOND', '1 MONTH', '13 MONTH', "'1 day 3 hours'")})`,
      () => `date_trunc('${this.#pick('year', 'month', 'week', 'day', 'hour', 'second')}', ${this.clock(d)})`,
      () => `time_bucket(INTERVAL ${this.#pick('7 MINUTE', '1 DAY', '5 HOUR')}, ${this.clock(d)})`,
      () => `${this.#pick('coalesce', 'greatest', 'least')}(${this.clock(d)}, ${this.#pick("TIMESTAMP '2024-02-29 12:30:00.25'", 'y')})`,
      () => this.#either(d, (inner) => this.clock(inner)),
    )()
  }

  #cast(): string {
    return this.#pick('CAST', 'TRY_CAST')
  }

  #either(depth: number, of: (depth: number) => string): string {
    return this.#pick(
      () => `CASE WHEN ${this.bool(depth)} THEN ${of(depth)} WHEN ${this.bool(0)} THEN ${of(depth)} ELSE ${of(depth)} END`,
      () => `coalesce(${of(depth)}, ${of(depth)})`,
      () => `${this.#pick('greatest', 'least')}(${of(depth)}, ${of(depth)})`,
      () => `nullif(${of(depth)}, ${of(depth)})`,
    )()
  }
}
