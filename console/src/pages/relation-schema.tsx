// Columns with types, tags and profile; when the shape changed, and whether that broke anyone.
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import type { ColumnDetail, SchemaPage } from '../../../src/serve/answers/schema.ts'
import { schemaQuery } from '../api/queries.ts'
import { Answer } from '../ui/answer.tsx'
import { formatCell, formatCount, formatShare, plural } from '../ui/format.ts'
import { Meter } from '../ui/meter.tsx'
import { Spark } from '../ui/spark.tsx'
import { State } from '../ui/state.tsx'
import { Card } from '../ui/tile-frame.tsx'
import { Time } from '../ui/time.tsx'

const TYPES: Record<string, string> = {
  boolean: 'boolean',
  int: 'number',
  float: 'number',
  double: 'number',
  long: 'bigint',
  decimal: 'Decimal',
  timestamp: 'Instant',
  datetime: 'string',
  date: 'string',
  time: 'string',
  string: 'string',
  uuid: 'string',
  binary: 'Uint8Array',
  json: 'unknown',
}

/** What stands between the outer commas of `a int, b map(string, int)`; quotes are respected. */
function partsOf(text: string): string[] {
  const parts: string[] = []
  let depth = 0
  let from = 0
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|'[^']*'|[(),]/g)) {
    if (token === '(') depth++
    if (token === ')') depth--
    if (token !== ',' || depth > 0) continue
    parts.push(text.slice(from, index).trim())
    from = index + 1
  }
  return [...parts, text.slice(from).trim()]
}

const innerOf = (text: string): string =>
  text.endsWith(' optional') ? `${typeOf(text.slice(0, -' optional'.length))} | null` : typeOf(text)

/** A type as the server prints it, in TypeScript. */
function typeOf(text: string): string {
  const [, kind = '', inner = ''] = /^(\w+)(?:\((.*)\))?$/s.exec(text) ?? []
  switch (kind) {
    case 'enum':
      return inner.replaceAll(', ', ' | ')
    case 'list':
      return `(${innerOf(inner)})[]`
    case 'map':
      return `Record<string, ${innerOf(partsOf(inner)[1] ?? '')}>`
    case 'struct':
      return `{ ${partsOf(inner)
        .map((part) => part.replace(/^(\w+|"(?:[^"\\]|\\.)*") (.*)$/s, (_, name: string, type: string) => `${name}: ${innerOf(type)}`))
        .join('; ')} }`
    default:
      return TYPES[kind] ?? 'unknown'
  }
}

/** The row as a TypeScript interface. */
export function asTypeScript(name: string, columns: readonly ColumnDetail[]): string {
  const title = name.replace(/(^|[._])([a-z])/g, (_, __, letter: string) => letter.toUpperCase())
  return `export interface ${title} {\n${columns.map((column) => `  ${column.name}: ${typeOf(column.type)}${column.optional ? ' | null' : ''}`).join('\n')}\n}\n`
}

function Origin({ from }: { readonly from: readonly string[] }) {
  return from.map((path, index) => (
    <span key={path}>
      {index === 0 ? '' : ', '}
      <Link className="link" to="/data/$relation/schema" params={{ relation: path.split('.').slice(0, -1).join('.') }}>
        {path}
      </Link>
    </span>
  ))
}

const dash = <span className="muted">–</span>

function ColumnRow({ of }: { readonly of: ColumnDetail }) {
  const profile = of.profile
  return (
    <tr>
      <td className="mono m5" title={of.doc}>
        {of.name}
      </td>
      <td className="mono t2">{of.type}</td>
      <td>
        <span className="row" style={{ gap: 4 }}>
          {of.key ? <span className="tag">key</span> : null}
          {of.unit === undefined ? null : <span className="tag">{of.unit}</span>}
          {of.pii === undefined ? null : <span className="tag">pii.{of.pii}</span>}
          {of.optional ? <span className="tag">optional</span> : null}
        </span>
      </td>
      <td className="hide-m">
        {profile?.nullShare == null ? (
          dash
        ) : (
          <span className="row">
            <span style={{ width: 48 }}>
              <Meter share={profile.nullShare} />
            </span>
            <span className="num">{formatShare(profile.nullShare)}</span>
          </span>
        )}
      </td>
      <td className="r hide-m">{profile?.distinct == null ? dash : formatCount(profile.distinct)}</td>
      <td className="r hide-m">{profile?.least == null ? dash : formatCell(profile.least, of.type)}</td>
      <td className="r hide-m">{profile?.greatest == null ? dash : formatCell(profile.greatest, of.type)}</td>
      <td className="hide-m">
        {profile?.spread == null ? dash : <Spark values={profile.spread} label={`spread in ${profile.spread.length} bins`} width={64} />}
      </td>
      <td className="hide-m mono s12">{of.from.length === 0 ? dash : <Origin from={of.from} />}</td>
    </tr>
  )
}

function Columns({ name, page }: { readonly name: string; readonly page: SchemaPage }) {
  const [copied, setCopied] = useState(false)
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(asTypeScript(name, page.columns))
    setCopied(true)
  }
  return (
    <Card
      title={plural(page.columns.length, 'column')}
      beside={
        page.profiledAtMs === null ? (
          'not profiled'
        ) : (
          <>
            profile of <Time at={page.profiledAtMs} how="minute" />
          </>
        )
      }
      controls={
        <button type="button" className="btn sm" onClick={() => void copy()}>
          {copied ? 'Copied' : 'Copy as TypeScript'}
        </button>
      }
    >
      <div className="scrollx">
        <table>
          <thead>
            <tr>
              <th scope="col">Column</th>
              <th scope="col">Type</th>
              <th scope="col">Tags</th>
              <th scope="col" className="hide-m">
                Empty
              </th>
              <th scope="col" className="r hide-m">
                Distinct
              </th>
              <th scope="col" className="r hide-m">
                Least
              </th>
              <th scope="col" className="r hide-m">
                Greatest
              </th>
              <th scope="col" className="hide-m">
                Spread
              </th>
              <th scope="col" className="hide-m">
                Comes from
              </th>
            </tr>
          </thead>
          <tbody>
            {page.columns.map((column) => (
              <ColumnRow key={column.name} of={column} />
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  )
}

const KINDS = { first: ['ok', 'First version'], compatible: ['ok', 'Compatible'], breaking: ['bad', 'Breaking'] } as const

export function RelationSchema() {
  const { relation: name } = useParams({ from: '/data/$relation' })
  const query = useQuery(schemaQuery(name))
  return (
    <Answer query={query} rows={8}>
      {(page) => (
        <div className="stack">
          <Columns name={name} page={page} />
          {page.changes.length === 0 ? null : (
            <Card title="Changes of the shape">
              <div className="scrollx">
                <table className="tight" aria-label="Changes of the shape">
                  <tbody>
                    {page.changes.map((change) => (
                      <tr key={change.atMs}>
                        <td className="muted">
                          <Time at={change.atMs} />
                        </td>
                        <td>
                          <State tone={KINDS[change.kind][0]}>{KINDS[change.kind][1]}</State>
                        </td>
                        <td>{change.summary}</td>
                        <td className="muted mono hide-m">{change.code === null ? '' : `code ${change.code}`}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
            </Card>
          )}
        </div>
      )}
    </Answer>
  )
}
