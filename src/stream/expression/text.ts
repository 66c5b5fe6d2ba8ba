// JavaScript of text functions: most are one call of `text-functions.ts`. Where a column's bytes are enough, they are not decoded.
import type { CallExpression, ConstantExpression, Expression } from '../../engine/algebra/expression.ts'
import type { CallGenerator, Emitter } from './emitter.ts'

/** A whole number as the functions take it. */
const whole = (emitter: Emitter, value: string): string => (emitter.isBig ? `Number(${value})` : value)

/** And as a result of type long. */
const long = (emitter: Emitter, value: string): string => (emitter.isBig ? `BigInt(${value})` : value)

const ofTexts =
  (name: string): CallGenerator =>
  (emitter, { of, type }) =>
    emitter.strict(of, type, (values) => {
      const called = `T.${name}(${values.join(', ')})`
      const [first, ...more] = of
      return first?.op === 'column' && more.length === 0 ? emitter.once(`${name} ${first.name}`, called) : called
    })

const truthOf =
  (name: string): CallGenerator =>
  (emitter, { of, type }) =>
    emitter.strict(of, type, ([a, b]) => `${a}.${name}(${b}) | 0`)

const countOf =
  (name: string): CallGenerator =>
  (emitter, { of, type }) =>
    emitter.strict(of, type, (values) => long(emitter, `T.${name}(${values.join(', ')})`))

const textAndCounts =
  (name: string): CallGenerator =>
  (emitter, { of, type }) =>
    emitter.strict(of, type, ([text, ...counts]) => `T.${name}(${[text, ...counts.map((count) => whole(emitter, count))].join(', ')})`)

/** A constant pattern, compiled once. */
const pattern =
  (compile: (pattern: string) => RegExp): CallGenerator =>
  (emitter, { of, type }) => {
    const test = emitter.constant(compile(String((of[1] as ConstantExpression).value)))
    return emitter.strict([of[0]!], type, ([text]) => `${test}.test(${text}) | 0`)
  }

const quoted = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, (character) => `\\${character}`)

/** `%` is any text, `_` one code point. */
function likePattern(like: string): RegExp {
  const source = [...like]
    .map((character) => (character === '%' ? '[\\s\\S]*' : character === '_' ? '[\\s\\S]' : quoted(character)))
    .join('')
  return new RegExp(`^${source}$`, 'u')
}

/** Both in lower case, as DuckDB compares them. */
const caseless: CallGenerator = (emitter, { of, type }) => {
  const test = emitter.constant(likePattern(String((of[1] as ConstantExpression).value).toLowerCase()))
  return emitter.strict([of[0]!], type, ([text]) => `${test}.test(T.lower(${text})) | 0`)
}

/** In RE2 the point is everything but a line feed. */
const perlPattern = (text: string): string =>
  text.replaceAll(/\\[\s\S]|\[(?:\\[\s\S]|[^\]])*\]|\./g, (part) => (part === '.' ? '[^\\n]' : part))

const regexOf = (of: readonly Expression[]): RegExp => new RegExp(perlPattern(constantText(of[1])), 'u')

const extract: CallGenerator = (emitter, { of, type }) => {
  const regex = emitter.constant(regexOf(of))
  return emitter.strict([of[0]!], type, ([text]) => `(${regex}.exec(${text})?.[${Number(constantText(of[2]))}] ?? '')`)
}

/** As JavaScript writes `\\0` to `\\9` and a backslash; two digits, as another may follow. */
const replacement = (text: string): string =>
  text.replaceAll('$', '$$$$').replaceAll(/\\([\d\\])/g, (_, of: string) => (of === '\\' ? '\\' : of === '0' ? '$&' : `$0${of}`))

const replaceMatches: CallGenerator = (emitter, { of, type }) => {
  const found = regexOf(of)
  const regex = emitter.constant(of.length === 4 ? new RegExp(found, 'gu') : found)
  const by = emitter.constant(replacement(constantText(of[2])))
  return emitter.strict([of[0]!], type, ([text]) => `${text}.replace(${regex}, ${by})`)
}

const concat: CallGenerator = (emitter, { of }) => {
  const value = emitter.variable("''")
  emitter.emit(`${value} = ''`)
  for (const inner of of) {
    const code = emitter.code(inner)
    if (code.isNull !== 'true')
      emitter.emit(code.isNull === 'false' ? `${value} += ${code.value}` : `if (!${code.isNull}) ${value} += ${code.value}`)
  }
  return { isNull: 'false', value }
}

const constantText = (of: Expression | undefined): string => (of?.op === 'constant' && of.value !== null ? String(of.value) : '')

/** Of a column's bytes by constants: a part of them. */
const splitPart: CallGenerator = (emitter, { of, type }) => {
  const [separator, index] = [constantText(of[1]), Number(constantText(of[2]))]
  if (separator === '' || index <= 0 || of[0]!.op === 'constant')
    return emitter.strict(of, type, ([text, by, at]) => `T.splitPart(${text}, ${by}, ${whole(emitter, at!)})`)
  const text = emitter.code(of[0]!)
  const { isNull, range } = text
  if (!range) {
    const [by, at] = of.slice(1).map((inner) => emitter.code(inner))
    return emitter.over([text, by!, at!], type, () => `T.splitPart(${text.value}, ${by!.value}, ${whole(emitter, at!.value)})`)
  }
  const [start, length] = [emitter.variable('0'), emitter.variable('0')]
  const found = emitter.constant(new Int32Array(2))
  const split = `T.splitRange(${range.join(', ')}, ${emitter.constant(Buffer.from(separator))}, ${index}, ${found}); ${start} = ${found}[0]; ${length} = ${found}[1]`
  emitter.emit(isNull === 'false' ? split : `if (!${isNull}) { ${split} }`)
  const part = [range[0], start, length] as const
  return { isNull, value: `R.text(${part.join(', ')})`, range: part }
}

const contains: CallGenerator = (emitter, { of, type }) => {
  const part = constantText(of[1])
  const code = part !== '' && of[0]!.op === 'column' ? emitter.code(of[0]!) : null
  if (!code?.range) return truthOf('includes')(emitter, { of, type } as CallExpression)
  const { range } = code
  return emitter.over([code], type, () => `T.hasPart(${range.join(', ')}, ${emitter.constant(Buffer.from(part))}) | 0`)
}

const pad =
  (name: 'lpad' | 'rpad'): CallGenerator =>
  (emitter, { of, type }) =>
    emitter.strict(of, type, ([text, size, by]) => `T.${name}(${text}, ${size}, ${by})`)

const jsonText: CallGenerator = (emitter, { of, type }) => {
  const written = String((of[1] as ConstantExpression).value)
  const steps = written.startsWith('$') ? [...written.matchAll(/\.(\w+)|\[(\d+)\]/g)].map(([, name, at]) => name ?? Number(at)) : [written]
  const path = emitter.constant(steps)
  return emitter.strict(
    [of[0]!],
    type,
    ([text], setNull) => {
      const value = emitter.variable('null')
      emitter.emit(`${value} = T.jsonText(${text}, ${path})`)
      emitter.emit(`if (${value} === null) ${setNull}`)
      return value
    },
    true,
  )
}

export const textCalls: Readonly<Record<string, CallGenerator>> = {
  lower: ofTexts('lower'),
  upper: ofTexts('upper'),
  trim: ofTexts('trim'),
  ltrim: ofTexts('ltrim'),
  rtrim: ofTexts('rtrim'),
  replace: ofTexts('replace'),
  length: countOf('length'),
  strlen: countOf('byteLength'),
  strpos: countOf('position'),
  contains,
  starts_with: truthOf('startsWith'),
  ends_with: truthOf('endsWith'),
  substring: textAndCounts('substring'),
  left: textAndCounts('left'),
  right: textAndCounts('right'),
  repeat: textAndCounts('repeat'),
  lpad: pad('lpad'),
  rpad: pad('rpad'),
  split_part: splitPart,
  '||': (emitter, { of, type }) => emitter.strict(of, type, ([a, b]) => `${a} + ${b}`),
  concat,
  like: pattern(likePattern),
  ilike: caseless,
  regexp_matches: pattern((text) => new RegExp(perlPattern(text), 'u')),
  regexp_full_match: pattern((text) => new RegExp(`^(?:${perlPattern(text)})$`, 'u')),
  regexp_extract: extract,
  regexp_replace: replaceMatches,
  json_extract_string: jsonText,
}
