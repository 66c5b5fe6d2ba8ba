// The text functions of live models with their types: text, patterns that are constants, paths into JSON.
import { castTo, isConstantText, isInteger, isText } from './coerce.ts'
import { BOOLEAN, call, isOptional, LONG, STRING, type ValueType } from './expression.ts'
import { REGEXP_CALLS } from './regexp-calls.ts'
import { count, type Resolve, typesOf } from './resolve.ts'

/** Functions whose arguments are all text. */
const ofText =
  (name: string, type: ValueType, ...counts: readonly number[]): Resolve =>
  (of) => {
    const wrong = count(of, ...counts)
    if (wrong) return wrong
    if (!of.every(isText)) return `of ${typesOf(of)}`
    return call(
      name,
      of.map((expression) => castTo(expression, STRING)),
      type,
    )
  }

/** Text first, whole numbers after it. */
const textAndCounts =
  (name: string, ...counts: readonly number[]): Resolve =>
  (of) => {
    const wrong = count(of, ...counts)
    if (wrong) return wrong
    const [text, ...rest] = of
    if (!isText(text!) || !rest.every(({ type }) => type.kind === 'int' || type.kind === 'long')) return `of ${typesOf(of)}`
    return call(name, [castTo(text!, STRING), ...rest.map((expression) => castTo(expression, LONG))], STRING)
  }

const pad =
  (name: string): Resolve =>
  (of) => {
    if (of.length !== 3 || !isText(of[0]!) || of[1]!.type.kind !== 'int' || !isText(of[2]!)) return `of ${typesOf(of)}`
    if (isConstantText(of[2]) && of[2].value === '') return 'with an empty padding'
    return call(name, [castTo(of[0]!, STRING), of[1]!, castTo(of[2]!, STRING)], STRING)
  }

const splitPart: Resolve = (of) => {
  if (of.length !== 3 || !isText(of[0]!) || !isText(of[1]!) || !isInteger(of[2]!.type)) return `of ${typesOf(of)}`
  return call('split_part', [castTo(of[0]!, STRING), castTo(of[1]!, STRING), castTo(of[2]!, LONG)], STRING)
}

/** `||` is null when either is, concat leaves nulls out. */
const joined =
  (name: '||' | 'concat'): Resolve =>
  (of) => {
    if (of.length === 0 || (name === '||' && of.length !== 2)) return count(of, 2)!
    if (of.some(({ type }) => type.kind === 'binary' || type.kind === 'interval')) return `of ${typesOf(of)}`
    const texts = of.map((expression) => castTo(expression, STRING))
    return call(name, texts, STRING, name === 'concat' ? false : texts.some(isOptional))
  }

const like =
  (isNegated: boolean, isCaseless: boolean): Resolve =>
  (of) => {
    if (of.length !== 2 || !isText(of[0]!) || !isConstantText(of[1])) return 'with a pattern that is not a constant'
    if (isCaseless && /[^\x20-\x7e]/.test(of[1].value)) return 'with a pattern beyond ASCII'
    if (of[1].value.includes('\\')) return 'with a backslash in its pattern'
    const test = call(isCaseless ? 'ilike' : 'like', [of[0]!, castTo(of[1], STRING)], BOOLEAN)
    return isNegated ? call('not', [test], BOOLEAN) : test
  }

const jsonText: Resolve = (of) => {
  if (of.length !== 2 || !isText(of[0]!) || !isConstantText(of[1])) return 'with a path that is not a constant'
  const path = of[1].value
  const isPath = /^\$(?:\.[A-Za-z_]\w*|\[\d+\])*$/.test(path) || /^[A-Za-z_]\w*$/.test(path)
  if (!isPath) return `with the path ${path}: names and positions only, such as $.a.b[0]`
  return call('json_extract_string', [of[0]!, castTo(of[1], STRING)], STRING, true)
}

export const TEXT_CALLS: Readonly<Record<string, Resolve>> = {
  lower: ofText('lower', STRING, 1),
  upper: ofText('upper', STRING, 1),
  length: ofText('length', LONG, 1),
  strlen: ofText('strlen', LONG, 1),
  trim: ofText('trim', STRING, 1),
  ltrim: ofText('ltrim', STRING, 1),
  rtrim: ofText('rtrim', STRING, 1),
  replace: ofText('replace', STRING, 3),
  contains: ofText('contains', BOOLEAN, 2),
  starts_with: ofText('starts_with', BOOLEAN, 2),
  prefix: ofText('starts_with', BOOLEAN, 2),
  ends_with: ofText('ends_with', BOOLEAN, 2),
  suffix: ofText('ends_with', BOOLEAN, 2),
  strpos: ofText('strpos', LONG, 2),
  instr: ofText('strpos', LONG, 2),
  position: ofText('strpos', LONG, 2),
  substring: textAndCounts('substring', 2, 3),
  substr: textAndCounts('substring', 2, 3),
  left: textAndCounts('left', 2),
  right: textAndCounts('right', 2),
  repeat: textAndCounts('repeat', 2),
  lpad: pad('lpad'),
  rpad: pad('rpad'),
  split_part: splitPart,
  '||': joined('||'),
  concat: joined('concat'),
  '~~': like(false, false),
  '!~~': like(true, false),
  '~~*': like(false, true),
  '!~~*': like(true, true),
  ...REGEXP_CALLS,
  json_extract_string: jsonText,
  '->>': jsonText,
}
