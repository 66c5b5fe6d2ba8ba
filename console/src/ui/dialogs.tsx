// The two dialogs: Ctrl K finds relations, columns, runs and pages; `?` lists the keys. Loaded when first opened.
import { Modal } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { relationsQuery } from '../api/queries.ts'
import { Icon, type IconName, kindIcon } from './icon.tsx'
import { KEYS, PAGES } from './keys.ts'

interface Found {
  readonly href: string
  readonly text: string
  readonly note: string
  readonly icon: IconName
}

const LIMIT = 12

export function Finder({ onClose }: { readonly onClose: () => void }) {
  const [text, setText] = useState('')
  const [at, setAt] = useState(0)
  const relations = useQuery(relationsQuery()).data?.relations ?? []
  const navigate = useNavigate()
  const wanted = text.trim().toLowerCase()
  const all: Found[] = [
    ...Object.values(PAGES).map((page): Found => ({ href: page.to, text: page.name, note: 'page', icon: 'right' })),
    ...relations.map(
      (relation): Found => ({
        href: `/data/${relation.name}`,
        text: relation.name,
        note: relation.kind,
        icon: kindIcon(relation.kind, relation.how),
      }),
    ),
    ...(wanted === ''
      ? []
      : relations.flatMap((relation) =>
          relation.columns.map(
            (column): Found => ({
              href: `/data/${relation.name}/schema`,
              text: `${relation.name}.${column.name}`,
              note: column.type,
              icon: 'right',
            }),
          ),
        )),
  ]
  const found = all.filter((one) => one.text.toLowerCase().includes(wanted)).slice(0, LIMIT)
  if (/^[\w-]+$/.test(wanted) && /\d/.test(wanted))
    found.push({ href: `/runs/${wanted}`, text: `Run ${wanted}`, note: 'run', icon: 'runs' })
  const open = (one: Found | undefined): void => {
    if (one === undefined) return
    onClose()
    void navigate({ to: one.href })
  }
  const press = (key: string): boolean => {
    if (key === 'ArrowDown') setAt(Math.min(found.length - 1, at + 1))
    else if (key === 'ArrowUp') setAt(Math.max(0, at - 1))
    else if (key === 'Enter') open(found[at])
    else return false
    return true
  }
  return (
    <Modal
      opened
      onClose={onClose}
      withCloseButton={false}
      transitionProps={{ duration: 0 }}
      padding={12}
      size={520}
      yOffset="12vh"
      aria-label="Find"
    >
      <input
        className="field"
        style={{ width: '100%', height: 36, fontSize: 14 }}
        placeholder="Find relation, column, run"
        aria-label="Find relation, column, run"
        data-autofocus
        value={text}
        onChange={(event) => {
          setText(event.target.value)
          setAt(0)
        }}
        onKeyDown={(event) => {
          if (press(event.key)) event.preventDefault()
        }}
      />
      <ul className="finder-list">
        {found.map((one, index) => (
          <li key={one.href + one.text} data-selected={index === at}>
            <a
              href={`/console${one.href}`}
              onClick={(event) => {
                event.preventDefault()
                open(one)
              }}
            >
              <span className="muted">
                <Icon name={one.icon} />
              </span>
              <span className="cut">{one.text}</span>
              <span className="sp" />
              <span className="s12 muted cut">{one.note}</span>
            </a>
          </li>
        ))}
        {found.length === 0 ? (
          <li className="muted" style={{ padding: 8 }}>
            Nothing has this name.
          </li>
        ) : null}
      </ul>
    </Modal>
  )
}

export function KeysDialog({ onClose }: { readonly onClose: () => void }) {
  return (
    <Modal opened onClose={onClose} title="Keys" transitionProps={{ duration: 0 }} size={420} closeButtonProps={{ 'aria-label': 'Close' }}>
      <dl className="keys">
        {KEYS.map(([keys, what]) => (
          <div key={keys} style={{ display: 'contents' }}>
            <dt>
              <span className="kbd">{keys}</span>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Modal>
  )
}
