// JavaScript of text functions. Text is handled as bytes where it can be: parts of it are names of a place, and what is made anew
// is written to a buffer of the row. Only what needs strings decodes it.
import { type CallExpression, type ConstantExpression, call, constant, type Expression, STRING } from '../../engine/algebra/expression.ts'
import type { CallGenerator, Code, Emitter, Range } from './emitter.ts'
import { requiredText } from './required-text.ts'
import { Part, Pattern } from './text-search.ts'

/** A whole number as the functions take it. */
const whole = (emitter: Emitter, value: string): string => (emitter.isBig ? `Number(${value})` : value)

/** And as a result of type long. */
const long = (emitter: Emitter, value: string): string => (emitter.isBig ? `BigInt(${value})` : value)

const codesOf = (emitter: Emitter, of: readonly Expression[]): readonly Code[] => of.map((inner) => emitter.code(inner))

/** A number over the bytes of texts. */
const overBytes =
  (body: (emitter: Emitter, ranges: readonly string[]) => string): CallGenerator =>
  (emitter, { of, type }) => {
    const codes = codesOf(emitter, of)
    const ranges = codes.map((code) => emitter.rangeOf(code).join(', '))
    return emitter.over(codes, type, () => body(emitter, ranges))
  }

/** A part of the first text, by whole numbers. */
const partOf =
  (name: string): CallGenerator =>
  (emitter, { of, type }) => {
    const [text, ...counts] = codesOf(emitter, of) as [Code, ...Code[]]
    const range = emitter.rangeOf(text)
    const given = [...range, ...counts.map(({ value }) => whole(emitter, value))].join(', ')
    return cut(emitter, emitter.nullOf([text, ...counts]), range, `B.${name}(${given})`, type)
  }

/** What `call` found in the range. */
function cut(emitter: Emitter, isNull: string, [bytes]: Range, call: string, type: CallExpression['type']): Code {
  const [start, length] = [emitter.variable('0'), emitter.variable('0')]
  emitter.where(isNull, `${call}; ${start} = B.found[0]; ${length} = B.found[1]`)
  return emitter.inBytes(isNull, [bytes, start, length], type)
}

const mapped =
  (method: 'addLower' | 'addUpper'): CallGenerator =>
  (emitter, { of, type }) => {
    const text = emitter.code(of[0]!)
    const range = emitter.rangeOf(text).join(', ')
    return emitter.made(text.isNull, type, (buffer) => `${buffer}.${method}(${range})`)
  }

const partOfText = (emitter: Emitter, text: string): string =>
  emitter.shared(`part ${text}`, () => emitter.constant(new Part(Buffer.from(text))))

/** A text that is searched for: planned once when it is a constant, and when it changes otherwise. */
function soughtPart(emitter: Emitter, code: Code): string {
  if (code.literal !== undefined) return partOfText(emitter, code.literal)
  const part = emitter.object('O.Part', 'R.NO_BYTES')
  emitter.where(code.isNull, `${part}.set(${emitter.rangeOf(code).join(', ')})`)
  return part
}

const replace: CallGenerator = (emitter, { of, type }) => {
  const [text, from, to] = codesOf(emitter, of) as [Code, Code, Code]
  const part = soughtPart(emitter, from)
  const given = [...emitter.rangeOf(text), part, ...emitter.rangeOf(to)].join(', ')
  return emitter.made(emitter.nullOf([text, from, to]), type, (buffer) => `${buffer}.addReplaced(${given})`)
}

const contains: CallGenerator = (emitter, { of, type }) => {
  const [text, wanted] = codesOf(emitter, of) as [Code, Code]
  const part = soughtPart(emitter, wanted)
  const range = emitter.rangeOf(text).join(', ')
  return emitter.over([text, wanted], type, () => `${part}.isIn(${range}) | 0`)
}

/** Counted in characters from 1; 0 when it is not there. */
const position: CallGenerator = (emitter, { of, type }) => {
  const [text, wanted] = codesOf(emitter, of) as [Code, Code]
  const part = soughtPart(emitter, wanted)
  const range = emitter.rangeOf(text).join(', ')
  return emitter.over([text, wanted], type, () => long(emitter, `${part}.position(${range})`))
}

/** Parts of one text by one separator are looked for by one splitter. */
const splitPart: CallGenerator = (emitter, { of, type }) => {
  const [text, by, index] = codesOf(emitter, of) as [Code, Code, Code]
  const range = emitter.rangeOf(text)
  const part = soughtPart(emitter, by)
  const splitter = emitter.shared(`splitter ${range.join(', ')}, ${part}`, () => emitter.object('O.Splitter'))
  const given = ['r', ...range, part, whole(emitter, index.value)].join(', ')
  return cut(emitter, emitter.nullOf([text, by, index]), range, `${splitter}.split(${given})`, type)
}

/** All texts of a chain of `||`. */
const joinedTexts = (expression: Expression): readonly Expression[] =>
  expression.op === 'call' && expression.name === '||' ? expression.of.flatMap(joinedTexts) : [expression]

const addTo = (emitter: Emitter, buffer: string, code: Code): string =>
  code.range || code.literal !== undefined ? `${buffer}.add(${emitter.rangeOf(code).join(', ')})` : `${buffer}.addText(${code.value})`

const joined: CallGenerator = (emitter, chain) => {
  const codes = codesOf(emitter, joinedTexts(chain))
  return emitter.made(emitter.nullOf(codes), chain.type, (buffer) => codes.map((code) => addTo(emitter, buffer, code)).join('; '))
}

/** Nulls are left out. */
const concat: CallGenerator = (emitter, { of, type }) => {
  const codes = codesOf(emitter, of).filter(({ isNull }) => isNull !== 'true')
  const add = (buffer: string, code: Code): string => {
    const added = addTo(emitter, buffer, code)
    return code.isNull === 'false' ? added : `if (!${code.isNull}) ${added}`
  }
  return emitter.made('false', type, (buffer) => codes.map((code) => add(buffer, code)).join('; '))
}

/** A text made of the first by a count, and of another text if there is one. */
const madeBy =
  (method: 'addLeftPadded' | 'addRightPadded' | 'addRepeated'): CallGenerator =>
  (emitter, { of, type }) => {
    const [text, count, ...by] = codesOf(emitter, of) as [Code, Code, ...Code[]]
    const given = [...emitter.rangeOf(text), whole(emitter, count.value), ...by.flatMap((code) => emitter.rangeOf(code))].join(', ')
    return emitter.made(emitter.nullOf([text, count, ...by]), type, (buffer) => `${buffer}.${method}(${given})`)
  }

/** Patterns of LIKE that another function says. */
const SIMPLE: readonly (readonly [shape: RegExp, name: string])[] = [
  [/^[^%_]*$/, '='],
  [/^[^%_]*%$/, 'starts_with'],
  [/^%[^%_]*$/, 'ends_with'],
  [/^%[^%_]*%$/, 'contains'],
]

function likeOf(emitter: Emitter, text: Expression, pattern: string, type: CallExpression['type']): Code {
  const simple = SIMPLE.find(([shape]) => shape.test(pattern))
  if (simple) return emitter.code(call(simple[1], [text, constant(pattern.replaceAll('%', ''), STRING)], type))
  const code = emitter.code(text)
  const range = emitter.rangeOf(code).join(', ')
  return emitter.over([code], type, () => `${emitter.constant(new Pattern(pattern))}.test(${range}) | 0`)
}

const like: CallGenerator = (emitter, { of, type }) => likeOf(emitter, of[0]!, String((of[1] as ConstantExpression).value), type)

/** Both in lower case, as DuckDB compares them. */
const caseless: CallGenerator = (emitter, { of, type }) => {
  const [text, pattern] = of as [Expression, ConstantExpression]
  return likeOf(emitter, call('lower', [text], STRING), String(pattern.value).toLowerCase(), type)
}

/** In RE2 the point is everything but a line feed. */
const perlPattern = (text: string): string =>
  text.replaceAll(/\\[\s\S]|\[(?:\\[\s\S]|[^\]])*\]|\./g, (part) => (part === '.' ? '[^\\n]' : part))

const textOf = (of: Expression | undefined): string => String((of as ConstantExpression).value)

/** A constant pattern, compiled once, and what it is matched with. */
interface Regular {
  readonly text: Code
  readonly regex: string
  /** JavaScript of whether the text may match: it has what every match has. */
  readonly mayMatch: string
}

function regularOf(emitter: Emitter, of: readonly Expression[], compile: (pattern: string) => RegExp): Regular {
  const [text, pattern] = [emitter.code(of[0]!), textOf(of[1])]
  const required = requiredText(pattern)
  const isSought = text.range !== undefined && required !== ''
  return {
    text,
    regex: emitter.shared(`regex ${compile(pattern)}`, () => emitter.constant(compile(perlPattern(pattern)))),
    mayMatch: isSought ? `${partOfText(emitter, required)}.isIn(${text.range!.join(', ')})` : 'true',
  }
}

const matches =
  (compile: (pattern: string) => RegExp): CallGenerator =>
  (emitter, { of, type }) => {
    const { text, regex, mayMatch } = regularOf(emitter, of, compile)
    return emitter.over([text], type, () => `(${mayMatch} && ${regex}.test(${text.value})) | 0`)
  }

const extract: CallGenerator = (emitter, { of, type }) => {
  const { text, regex, mayMatch } = regularOf(emitter, of, (pattern) => new RegExp(pattern, 'u'))
  const group = textOf(of[2])
  // Of a row it may be asked for in several blocks.
  return emitter.over([text], type, () =>
    emitter.once(`match ${group} of ${regex} in ${text.value}`, `(${mayMatch} ? ${regex}.exec(${text.value})?.[${group}] ?? '' : '')`),
  )
}

/** As JavaScript writes `\0` to `\9` and a backslash; two digits, as another may follow. */
const replacement = (text: string): string =>
  text.replaceAll('$', '$$$$').replaceAll(/\\([\d\\])/g, (_, of: string) => (of === '\\' ? '\\' : of === '0' ? '$&' : `$0${of}`))

const replaceMatches: CallGenerator = (emitter, { of, type }) => {
  const { text, regex, mayMatch } = regularOf(emitter, of, (pattern) => new RegExp(pattern, of.length === 4 ? 'gu' : 'u'))
  const by = emitter.constant(replacement(textOf(of[2])))
  const range = emitter.rangeOf(text).join(', ')
  const replaced = (buffer: string): string => `${buffer}.addText(${text.value}.replace(${regex}, ${by}))`
  return emitter.made(text.isNull, type, (buffer) => `if (${mayMatch}) ${replaced(buffer)}; else ${buffer}.add(${range})`)
}

const jsonText: CallGenerator = (emitter, { of, type }) => {
  const written = String((of[1] as ConstantExpression).value)
  const steps = written.startsWith('$') ? [...written.matchAll(/\.(\w+)|\[(\d+)\]/g)].map(([, name, at]) => name ?? Number(at)) : [written]
  const path = emitter.constant(steps)
  const text = emitter.code(of[0]!)
  return emitter.over(
    [text],
    type,
    (setNull) => {
      if (!text.isJson) emitter.known(`JSON in ${text.value}`, () => emitter.emit(`T.checkJson(${text.value})`))
      const value = emitter.variable('null')
      emitter.emit(`${value} = T.jsonAt(${text.value}, ${path})`)
      emitter.emit(`if (${value} === null) ${setNull}`)
      return value
    },
    true,
  )
}

export const textCalls: Readonly<Record<string, CallGenerator>> = {
  lower: mapped('addLower'),
  upper: mapped('addUpper'),
  trim: partOf('trim'),
  ltrim: partOf('ltrim'),
  rtrim: partOf('rtrim'),
  substring: partOf('substring'),
  left: partOf('left'),
  right: partOf('right'),
  split_part: splitPart,
  replace,
  length: overBytes((emitter, [text]) => long(emitter, `B.length(${text})`)),
  strlen: (emitter, { of, type }) => {
    const text = emitter.code(of[0]!)
    return emitter.over([text], type, () => long(emitter, emitter.rangeOf(text)[2]))
  },
  strpos: position,
  contains,
  starts_with: overBytes((_, [text, part]) => `B.startsWith(${text}, ${part}) | 0`),
  ends_with: overBytes((_, [text, part]) => `B.endsWith(${text}, ${part}) | 0`),
  repeat: madeBy('addRepeated'),
  lpad: madeBy('addLeftPadded'),
  rpad: madeBy('addRightPadded'),
  '||': joined,
  concat,
  like,
  ilike: caseless,
  regexp_matches: matches((pattern) => new RegExp(pattern, 'u')),
  regexp_full_match: matches((pattern) => new RegExp(`^(?:${pattern})$`, 'u')),
  regexp_extract: extract,
  regexp_replace: replaceMatches,
  json_extract_string: jsonText,
}
