// `/sql`: any question, as anyone I may act as, and statements that change rows. The text that ran stands in the address, so that it
// can be sent as a link; a link asks, and changes nothing.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { lazy, Suspense, useEffect, useState } from 'react'
import type { RelationSummary } from '../../../src/serve/answers/relations.ts'
import type { RoleChoice } from '../../../src/serve/answers/session.ts'
import type { SqlRequest, SqlWritten } from '../../../src/serve/answers/sql.ts'
import { type Acting, exportSql, runStatement } from '../api/client.ts'
import { relationsQuery, sessionQuery } from '../api/queries.ts'
import { Skeleton } from '../ui/answer.tsx'
import { FieldMenu } from '../ui/choice.tsx'
import { formatShort } from '../ui/format.ts'
import { Title } from '../ui/head.tsx'
import { Icon, kindIcon } from '../ui/icon.tsx'
import { Empty, ErrorNote } from '../ui/note.tsx'
import { saveFile } from '../ui/save-file.ts'
import { type Answered, Results } from './sql-results.tsx'
import { closeTab, editText, keepDesk, loadDesk, openText, remember, type SqlDesk } from './sql-tabs.ts'
import { quoteColumn, quoteName } from './sql-text.ts'
import { Written } from './sql-written.tsx'

const Editor = lazy(() => import('../ui/editor.tsx'))
const HISTORY_SHOWN = 20

function Tree({
  relations,
  desk,
  onOpen,
}: {
  readonly relations: readonly RelationSummary[]
  readonly desk: SqlDesk
  readonly onOpen: (text: string) => void
}) {
  const [filter, setFilter] = useState('')
  const [open, setOpen] = useState<readonly string[]>([])
  const toggle = (name: string): void => setOpen(open.includes(name) ? open.filter((one) => one !== name) : [...open, name])
  const wanted = filter.trim().toLowerCase()
  const shown = relations
    .filter((one) => one.name.toLowerCase().includes(wanted) || one.columns.some((column) => column.name.toLowerCase().includes(wanted)))
    .toSorted((a, b) => a.name.localeCompare(b.name))
  return (
    <aside className="tree" aria-label="Relations">
      <input
        className="field"
        data-filter=""
        style={{ width: '100%', marginBottom: 6 }}
        placeholder="Filter"
        aria-label="Filter relations"
        value={filter}
        onChange={(event) => setFilter(event.target.value)}
      />
      {shown.map((one) => (
        <div key={one.name}>
          <button
            type="button"
            className="tn rel"
            style={{ paddingLeft: 8 }}
            aria-expanded={open.includes(one.name)}
            onClick={() => toggle(one.name)}
            onDoubleClick={() => onOpen(`SELECT *\nFROM ${quoteName(one.name)}\nLIMIT 100`)}
          >
            <Icon name={kindIcon(one.kind, one.how)} />
            <span className="cut">{one.name}</span>
            <span className="sp" />
            <span className="s11 muted num">{one.rows === null ? '' : formatShort(one.rows)}</span>
          </button>
          {open.includes(one.name)
            ? one.columns.map((column) => (
                <button
                  type="button"
                  key={column.name}
                  className="tn leaf"
                  style={{ paddingLeft: 30 }}
                  onClick={() =>
                    onOpen(
                      `SELECT ${quoteColumn(column.name)}, count(*)\nFROM ${quoteName(one.name)}\nGROUP BY 1\nORDER BY 2 DESC\nLIMIT 100`,
                    )
                  }
                >
                  <span className="mono cut">{column.name}</span>
                  <span className="sp" />
                  <span className="s11 muted">{column.type.replace(/\(.*/, '')}</span>
                </button>
              ))
            : null}
        </div>
      ))}
      <button type="button" className="tn top" aria-expanded={open.includes('\n')} onClick={() => toggle('\n')}>
        <Icon name={open.includes('\n') ? 'down' : 'right'} />
        <span>History</span>
        <span className="sp" />
        <span className="s11 muted num">{desk.history.length}</span>
      </button>
      {open.includes('\n')
        ? desk.history.slice(0, HISTORY_SHOWN).map((text) => (
            <button type="button" key={text} className="tn leaf" style={{ paddingLeft: 30 }} title={text} onClick={() => onOpen(text)}>
              <span className="mono cut">{text.replace(/\s+/g, ' ')}</span>
            </button>
          ))
        : null}
    </aside>
  )
}

function Tabs({ desk, set }: { readonly desk: SqlDesk; readonly set: (desk: SqlDesk) => void }) {
  return (
    <div className="qt hide-m">
      {desk.tabs.map((tab) => (
        <span key={tab.id} className={tab.id === desk.open ? 'on' : ''}>
          <button
            type="button"
            className="plain"
            aria-current={tab.id === desk.open ? 'true' : undefined}
            onClick={() => set({ ...desk, open: tab.id })}
          >
            {tab.name}
          </button>
          <button type="button" className="plain" aria-label={`Close ${tab.name}`} onClick={() => set(closeTab(desk, tab.id))}>
            <Icon name="close" size={11} />
          </button>
        </span>
      ))}
      <span>
        <button
          type="button"
          className="plain"
          aria-label="New query"
          onClick={() => set({ ...desk, tabs: [...desk.tabs, newTab(desk)], open: newTab(desk).id })}
        >
          <Icon name="plus" size={13} />
        </button>
      </span>
    </div>
  )
}

function newTab(desk: SqlDesk) {
  const id = Math.max(0, ...desk.tabs.map((tab) => tab.id)) + 1
  return { id, name: `Query ${id}`, text: '' }
}

function Attributes({
  role,
  values,
  set,
}: {
  readonly role: RoleChoice | undefined
  readonly values: Readonly<Record<string, string>>
  readonly set: (values: Record<string, string>) => void
}) {
  return role?.attributes.map((attribute) => (
    <input
      key={attribute.name}
      className="field"
      style={{ width: 130 }}
      placeholder={`${attribute.name}, ${attribute.type}`}
      aria-label={`Attribute ${attribute.name}`}
      value={values[attribute.name] ?? ''}
      onChange={(event) => set({ ...values, [attribute.name]: event.target.value })}
    />
  ))
}

export function SqlPage() {
  const search = useSearch({ from: '/sql' })
  const navigate = useNavigate()
  const client = useQueryClient()
  const session = useQuery(sessionQuery()).data
  const relations = useQuery(relationsQuery()).data?.relations ?? []
  const [desk, setDesk] = useState(loadDesk)
  const [role, setRole] = useState<string | null>(null)
  const [attributes, setAttributes] = useState<Record<string, string>>({})
  const [committed, setCommitted] = useState(false)
  const set = (next: SqlDesk): void => {
    setDesk(next)
    keepDesk(next)
  }
  const tab = desk.tabs.find((one) => one.id === desk.open) ?? desk.tabs[0]!
  const own = session?.role ?? ''
  const as = role ?? own
  const acting: Acting | null = role === null || role === own ? null : { role, attributes }
  const request = (): SqlRequest => ({ sql: tab.text, ...(committed ? { freshness: 'committed' } : {}) })
  const query = useMutation({
    mutationFn: async (isLink: boolean): Promise<Answered | SqlWritten> => {
      const start = performance.now()
      const answer = await runStatement({ ...request(), ...(isLink ? { readOnly: true } : {}) }, acting)
      return 'inserted' in answer ? answer : { answer, elapsedMs: performance.now() - start, as }
    },
    onSuccess: (done) => ('inserted' in done ? void client.invalidateQueries({ queryKey: relationsQuery().queryKey }) : undefined),
  })
  const run = (isLink = false): void => {
    if (tab.text.trim() === '') return
    set(remember(desk, tab.text))
    void navigate({ to: '/sql', search: { q: tab.text }, replace: true })
    query.mutate(isLink)
  }
  // A link's text opens in a tab of its own; only what the address says decides, not later edits.
  // biome-ignore lint/correctness/useExhaustiveDependencies: as the line above says
  useEffect(() => {
    if (search.q !== undefined && search.q !== tab.text) set(openText(desk, search.q))
  }, [search.q])
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when a link asks for it and its text is in the tab
  useEffect(() => {
    if (search.run && search.q === tab.text) run(true)
  }, [search.run, search.q === tab.text])
  const rows = (data: Answered): string =>
    [
      data.answer.columns.map((column) => column.name).join('\t'),
      ...data.answer.rows.map((row) => row.map((value) => value ?? '').join('\t')),
    ].join('\n')
  const copied = query.data === undefined || 'inserted' in query.data ? '' : rows(query.data)
  const catalog = Object.fromEntries(relations.map((one) => [one.name, one.columns.map((column) => column.name)]))
  return (
    <div className="sq">
      <Tree relations={relations} desk={desk} onOpen={(text) => set(openText(desk, text))} />
      <section className="rescol" aria-label="Query">
        <span className="sr">
          <Title name="SQL">SQL</Title>
        </span>
        <Tabs desk={desk} set={set} />
        <div className="tb">
          <button type="button" className="btn sm pri" onClick={() => run()} disabled={query.isPending}>
            <Icon name="play" size={13} />
            Run
            <span className="hide-m" style={{ fontWeight: 400 }}>
              Ctrl Enter
            </span>
          </button>
          <FieldMenu
            label="As"
            value={as}
            options={(session?.roles ?? []).map((one) => ({ value: one.name, label: one.name }))}
            onChange={(value) => {
              setRole(value)
              setAttributes({})
              query.reset()
            }}
          />
          <Attributes
            role={acting === null ? undefined : session?.roles.find((one) => one.name === role)}
            values={attributes}
            set={setAttributes}
          />
          <FieldMenu
            label="At"
            value={committed ? 'committed' : 'now'}
            options={[
              { value: 'now', label: 'now, with hot tail' },
              { value: 'committed', label: 'last commit' },
            ]}
            onChange={(value) => setCommitted(value === 'committed')}
          />
        </div>
        <div className="ed">
          <Suspense fallback={null}>
            <Editor key={tab.id} text={tab.text} onChange={(text) => set(editText(desk, text))} onRun={() => run()} catalog={catalog} />
          </Suspense>
        </div>
        {query.isPending && query.data === undefined ? (
          <Skeleton rows={8} />
        ) : query.error !== null ? (
          <ErrorNote error={query.error} again={() => query.mutate(false)} />
        ) : query.data === undefined ? (
          <Empty title="Nothing has run yet.">
            <p className="t2">
              Press <span className="kbd">Ctrl Enter</span>; relations and columns complete as you type.
            </p>
          </Empty>
        ) : 'inserted' in query.data ? (
          <Written of={query.data} />
        ) : (
          <Results
            of={query.data}
            onCopy={() => void navigator.clipboard.writeText(copied)}
            onExport={(accept, ending) => void exportSql(request(), accept, acting).then((file) => saveFile(file, `${tab.name}.${ending}`))}
          />
        )}
      </section>
    </div>
  )
}
