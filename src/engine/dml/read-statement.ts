// Cuts the text of INSERT, UPDATE, DELETE, TRUNCATE and MERGE at their outer keywords. Grammar: PostgreSQL's and DuckDB's. DuckDB's own
// parser gives a tree of SELECT only, so the outer shape is read here and every inner part is left to it as text.
import { MillraceError } from '../../core/errors.ts'
import { placeOf } from '../engine-error.ts'
import { readValues } from './read-values.ts'
import type {
  Assignment,
  DeleteStatement,
  InsertStatement,
  MergeStatement,
  Source,
  Target,
  UpdateStatement,
  When,
  WhenAction,
  WriteStatement,
} from './statement.ts'
import { isWord, nameOf, type Token, textOf, tokensOf } from './tokens.ts'

/** What a question begins with behind WITH. */
const QUERIES = ['SELECT', 'FROM', 'VALUES']
const VERBS = ['INSERT', 'UPDATE', 'DELETE', 'MERGE', 'TRUNCATE'] as const
/** What such a text begins with, behind comments. */
const BEGINS = /^(?:\s|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*(insert|update|delete|merge|truncate|with)\b/i
const HAS_VERB = /\b(insert|update|delete|merge|truncate)\b/i

/** Names of ours in the SELECT that the statement becomes. */
export const OWN_NAMES = '__millrace_'

/**
 * The statement, when the text is one that changes rows; undefined for everything else, which is a question.
 * @throws MR_SQL_SYNTAX with the place; MR_SQL_STATEMENT for several statements, and forms that are not supported.
 */
export function readWrite(text: string): WriteStatement | undefined {
  if (!BEGINS.test(text) || !HAS_VERB.test(text)) return undefined
  const tokens = tokensOf(text)
  // Behind WITH the verb follows a closing bracket; elsewhere such a word is a name.
  const verb = tokens.findIndex((token, index) => isWord(token, ...VERBS) && (index === 0 || tokens[index - 1]!.text === ')'))
  const isWrite = verb === 0 || (verb > 0 && isWord(tokens[0], 'WITH') && !tokens.slice(0, verb).some((token) => isWord(token, ...QUERIES)))
  return isWrite ? new Reader(text, oneStatement(numbered(tokens)), verb).read() : undefined
}

/** `?` gets its number: parts of the statement may be printed in another order, and more than once. */
function numbered(tokens: readonly Token[]): Token[] {
  let count = 0
  return tokens.map((token) => (token.kind === 'parameter' && token.text === '?' ? { ...token, text: `$${++count}` } : token))
}

/** Names of the parameters among tokens. */
export const parametersOf = (tokens: readonly Token[]): ReadonlySet<string> =>
  new Set(tokens.flatMap(({ kind, text }) => (kind === 'parameter' ? [text.slice(1)] : [])))

function oneStatement(tokens: readonly Token[]): readonly Token[] {
  const end = tokens.findIndex((token) => token.kind === 'mark' && token.text === ';')
  if (end >= 0 && tokens.slice(end).some((token) => token.text !== ';'))
    throw new MillraceError('MR_SQL_STATEMENT', 'one statement at a time is taken, this is several', { fix: 'send each by itself' })
  const ours = tokens.find((token) => nameOf(token)?.toLowerCase().startsWith(OWN_NAMES))
  if (ours)
    throw new MillraceError('MR_SQL_FORBIDDEN', `the name ${ours.text} is reserved`, {
      fix: `use names that do not begin with ${OWN_NAMES}`,
    })
  return end >= 0 ? tokens.slice(0, end) : tokens
}

type Read = Pick<WriteStatement, 'ctes' | 'parameters'>

class Reader {
  readonly #text: string
  readonly #tokens: readonly Token[]
  readonly #verb: number
  #at: number

  constructor(text: string, tokens: readonly Token[], verb: number) {
    this.#text = text
    this.#tokens = tokens
    this.#verb = verb
    this.#at = verb
  }

  read(): WriteStatement {
    const ctes = this.#verb === 0 ? '' : textOf(this.#tokens.slice(0, this.#verb))
    const statement = this.#readVerb({ ctes, parameters: parametersOf(this.#tokens) })
    if (this.#is('RETURNING'))
      throw new MillraceError('MR_SQL_STATEMENT', 'RETURNING is not supported', {
        fix: `leave it out: the answer counts the rows; then SELECT from ${statement.target.name}`,
      })
    if (this.#at < this.#tokens.length) this.#fail('is not expected here')
    return statement
  }

  #readVerb(common: Read): WriteStatement {
    const verb = this.#next()!.text.toUpperCase()
    if (verb === 'INSERT') return this.#readInsert(common)
    if (verb === 'UPDATE') return this.#readUpdate(common)
    if (verb === 'DELETE') return this.#readDelete(common)
    if (verb === 'MERGE') return this.#readMerge(common)
    this.#take('TABLE')
    return { kind: 'delete', ...common, target: this.#readTarget(), using: null, where: null }
  }

  #readInsert(common: Read): InsertStatement {
    const policy = this.#take('OR')
      ? this.#take('REPLACE')
        ? 'replace'
        : this.#take('IGNORE')
          ? 'ignore'
          : this.#fail('is not REPLACE or IGNORE')
      : 'error'
    this.#must('INTO')
    const target = this.#readTarget()
    const columns = this.#isList() ? this.#readNames() : null
    const byName = this.#take('BY') && (this.#take('NAME') || this.#after('POSITION', false))
    const sources = this.#take('DEFAULT') ? this.#after('VALUES', []) : this.#readSources()
    const conflict = this.#take('ON') ? this.#readConflict() : { onConflict: policy, conflictColumns: null }
    return { kind: 'insert', ...common, target, columns, byName, sources, ...conflict } as InsertStatement
  }

  #readSources(): readonly Source[] {
    const start = this.#at
    while (this.#peek() && !this.#is('RETURNING') && !(this.#is('ON') && isWord(this.#tokens[this.#at + 1], 'CONFLICT'))) this.#at++
    const query = this.#tokens.slice(start, this.#at)
    if (query.length === 0) this.#fail('is where a query or VALUES should be')
    return readValues(query) ?? [{ kind: 'query', query: textOf(query) }]
  }

  #readConflict(): Pick<InsertStatement, 'onConflict' | 'conflictColumns'> {
    this.#must('CONFLICT')
    const conflictColumns = this.#isList() ? this.#readNames() : null
    if (this.#is('WHERE'))
      throw new MillraceError('MR_SQL_STATEMENT', 'ON CONFLICT ... WHERE before DO names a partial index, which there is none of', {
        fix: 'leave it out, or write DO UPDATE SET ... WHERE ...',
      })
    this.#must('DO')
    if (this.#take('NOTHING')) return { onConflict: 'ignore', conflictColumns }
    this.#must('UPDATE')
    this.#must('SET')
    const set = this.#readAssignments('WHERE', 'RETURNING')
    const where = this.#take('WHERE') ? this.#expression('RETURNING') : null
    return { onConflict: { set, where }, conflictColumns }
  }

  #readUpdate(common: Read): UpdateStatement {
    const target = this.#readTarget('SET')
    this.#must('SET')
    const set = this.#readAssignments('FROM', 'WHERE', 'RETURNING')
    const from = this.#take('FROM') ? this.#expression('WHERE', 'RETURNING') : null
    const where = this.#take('WHERE') ? this.#expression('RETURNING') : null
    return { kind: 'update', ...common, target, set, from, where }
  }

  #readDelete(common: Read): DeleteStatement {
    this.#must('FROM')
    const target = this.#readTarget('USING', 'WHERE', 'RETURNING')
    const using = this.#take('USING') ? this.#expression('WHERE', 'RETURNING') : null
    const where = this.#take('WHERE') ? this.#expression('RETURNING') : null
    return { kind: 'delete', ...common, target, using, where }
  }

  #readMerge(common: Read): MergeStatement {
    this.#must('INTO')
    const target = this.#readTarget('USING')
    this.#must('USING')
    const source = this.#expression('ON', 'USING')
    const on = this.#take('USING') ? this.#readNames() : this.#readOn()
    const whens: When[] = []
    while (this.#take('WHEN')) whens.push(this.#readWhen())
    if (whens.length === 0) this.#fail('is where WHEN MATCHED or WHEN NOT MATCHED should be')
    return { kind: 'merge', ...common, target, source, on, whens }
  }

  #readOn(): string {
    this.#must('ON')
    return this.#expression('WHEN')
  }

  #readWhen(): When {
    const isNot = this.#take('NOT')
    this.#must('MATCHED')
    const isBySource = this.#take('BY') && (this.#take('SOURCE') || this.#after('TARGET', false))
    if (isBySource && !isNot) this.#fail('is not possible: a row that matches has a source')
    const condition = this.#take('AND') ? this.#expression('THEN') : null
    this.#must('THEN')
    const when = !isNot ? 'matched' : isBySource ? 'not matched by source' : 'not matched'
    return { when, condition, action: when === 'not matched' ? this.#readInsertAction() : this.#readChangeAction() }
  }

  #readChangeAction(): WhenAction {
    if (this.#take('DELETE')) return { kind: 'delete' }
    if (this.#take('UPDATE')) {
      if (this.#take('BY')) return this.#after('NAME', { kind: 'update', set: 'by name' })
      this.#must('SET')
      if (this.#takeMark('*')) return { kind: 'update', set: 'by name' }
      return { kind: 'update', set: this.#readAssignments('WHEN', 'RETURNING') }
    }
    return this.#readNoAction('UPDATE SET, DELETE or DO NOTHING')
  }

  #readInsertAction(): WhenAction {
    if (!this.#take('INSERT')) return this.#readNoAction('INSERT or DO NOTHING')
    if (this.#takeMark('*')) return { kind: 'insert', set: 'by name' }
    if (this.#take('BY')) return this.#after('NAME', { kind: 'insert', set: 'by name' })
    if (this.#take('DEFAULT')) return this.#after('VALUES', { kind: 'insert', set: [] })
    const columns = this.#isList() ? this.#readNames() : null
    this.#must('VALUES')
    const values = this.#readList().map((value) => this.#valueOf(value))
    if (columns === null) return { kind: 'insert values', values }
    if (columns.length !== values.length)
      throw new MillraceError('MR_SQL_SYNTAX', `INSERT names ${columns.length} columns and has ${values.length} values`, {
        fix: 'give each column a value',
      })
    return { kind: 'insert', set: columns.map((column, index) => ({ column, value: values[index]! })) }
  }

  #readNoAction(expected: string): WhenAction {
    if (this.#take('DO')) return this.#after('NOTHING', { kind: 'nothing' })
    if (this.#take('ERROR')) return { kind: 'error' }
    return this.#fail(`is where ${expected} should be`)
  }

  /** `stops`: words that are no alias here. */
  #readTarget(...stops: readonly string[]): Target {
    const parts = [this.#readName('a table')]
    while (this.#takeMark('.')) parts.push(this.#readName('a name'))
    if (parts.length > 2)
      throw new MillraceError('MR_SQL_UNKNOWN', `there is no relation "${parts.join('.')}"`, { fix: 'name it as namespace.table' })
    const [schema, name] = parts.length === 2 ? [parts[0]!, parts[1]!] : ['', parts[0]!]
    const hasAs = this.#take('AS')
    const isAlias = hasAs || (stops.length > 0 && nameOf(this.#peek()) !== undefined && !this.#is(...stops))
    return { schema, name, alias: isAlias ? this.#readName('an alias') : name }
  }

  #readAssignments(...stops: readonly string[]): Assignment[] {
    const assignments: Assignment[] = []
    do {
      const stop = [...stops]
      if (this.#isList()) {
        const columns = this.#readNames()
        this.#mustMark('=')
        this.#take('ROW')
        const values = this.#isList() ? this.#readList() : this.#fail('is where a list of values should be: SET (a, b) = (1, 2)')
        if (values.length !== columns.length) this.#fail(`follows ${columns.length} columns and ${values.length} values`)
        for (const [index, column] of columns.entries()) assignments.push({ column, value: this.#valueOf(values[index]!) })
      } else {
        const column = this.#readName('a column')
        if (this.#peek()?.text === '.' || this.#peek()?.text === '[')
          throw new MillraceError('MR_SQL_STATEMENT', `SET assigns whole columns, not parts of ${column}`, {
            fix: `set all of it: SET ${column} = struct_update(${column}, ...)`,
          })
        this.#mustMark('=')
        assignments.push({ column, value: this.#valueOf(this.#until(...stop, ',')) })
      }
    } while (this.#takeMark(','))
    const twice = assignments.find(({ column }, index) => assignments.findIndex((other) => sameName(other.column, column)) < index)
    if (twice) throw new MillraceError('MR_SQL_SYNTAX', `the column ${twice.column} is set twice`, { fix: 'set it once' })
    return assignments
  }

  #valueOf(tokens: readonly Token[]): string | null {
    if (tokens.length === 0) this.#fail('is where a value should be')
    return tokens.length === 1 && tokens[0]!.kind === 'word' && tokens[0]!.text.toUpperCase() === 'DEFAULT' ? null : textOf(tokens)
  }

  /** Names in parentheses. */
  #readNames(): string[] {
    return this.#readList().map((tokens) => {
      const name = tokens.length === 1 ? nameOf(tokens[0]) : undefined
      return name ?? this.#fail('follows a list with something else than names', tokens[0])
    })
  }

  /** What stands between commas in parentheses. */
  #readList(): Token[][] {
    if (!this.#isList()) this.#fail('is where "(" should be')
    const open = this.#next()!
    const list: Token[][] = [[]]
    for (;;) {
      const token = this.#next()!
      if (token.text === ')' && token.depth === open.depth) return list
      if (token.kind === 'mark' && token.text === ',' && token.depth === open.depth + 1) list.push([])
      else list.at(-1)!.push(token)
    }
  }

  /** Tokens before the first of these words or marks outside of all brackets. */
  #until(...stops: readonly string[]): readonly Token[] {
    const start = this.#at
    while (this.#at < this.#tokens.length) {
      const token = this.#tokens[this.#at]!
      if (
        (isWord(token, ...stops) && !this.#isDistinctFrom()) ||
        (token.kind === 'mark' && token.depth === 0 && stops.includes(token.text))
      )
        break
      this.#at++
    }
    return this.#tokens.slice(start, this.#at)
  }

  /** `a IS DISTINCT FROM b` */
  #isDistinctFrom(): boolean {
    return this.#is('FROM') && isWord(this.#tokens[this.#at - 1], 'DISTINCT')
  }

  #expression(...stops: readonly string[]): string {
    const tokens = this.#until(...stops)
    if (tokens.length === 0) this.#fail('is where an expression should be')
    return textOf(tokens)
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#at]
  }

  #next(): Token | undefined {
    return this.#tokens[this.#at++]
  }

  #is(...words: readonly string[]): boolean {
    return isWord(this.#peek(), ...words)
  }

  #isList(): boolean {
    return this.#peek()?.text === '(' && this.#peek()?.kind === 'mark'
  }

  #take(word: string): boolean {
    const isIt = this.#is(word)
    if (isIt) this.#at++
    return isIt
  }

  #takeMark(mark: string): boolean {
    const isIt = this.#peek()?.kind === 'mark' && this.#peek()?.text === mark
    if (isIt) this.#at++
    return isIt
  }

  #must(word: string): void {
    if (!this.#take(word)) this.#fail(`is where ${word} should be`)
  }

  #after<T>(word: string, value: T): T {
    this.#must(word)
    return value
  }

  #mustMark(mark: string): void {
    if (!this.#takeMark(mark)) this.#fail(`is where "${mark}" should be`)
  }

  #readName(what: string): string {
    const name = nameOf(this.#peek())
    if (name === undefined) this.#fail(`is where ${what} should be`)
    this.#at++
    return name!
  }

  #fail(what: string, token = this.#peek()): never {
    const at = token?.start ?? this.#text.length
    const place = placeOf(this.#text, Array.from(this.#text.slice(0, at)).length, 'characters')
    throw new MillraceError('MR_SQL_SYNTAX', `${token ? `"${token.text}"` : 'the end of the statement'} ${what}${place}`, {
      fix: 'see "SQL that changes tables" in the guide for the forms',
    })
  }
}

export const sameName = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()
