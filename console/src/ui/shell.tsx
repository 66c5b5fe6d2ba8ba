// What stands around every page: navigation, bar with where one is and whether figures are live, the line that says the
// connection is cut, the bottom bar of small screens.
import { Menu } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link, Outlet, useNavigate, useRouterState } from '@tanstack/react-router'
import { lazy, type ReactNode, Suspense, useEffect, useState } from 'react'
import type { Session } from '../../../src/serve/answers/session.ts'
import { ApiError } from '../api/client.ts'
import { useNow } from '../api/clock.ts'
import { setPaused, tryNow, useLive } from '../api/events.ts'
import { type Preferences, setPreferences, usePreferences } from '../api/preferences.ts'
import { queryClient, sessionQuery } from '../api/queries.ts'
import { dropToken } from '../api/token.ts'
import { formatDuration, formatShort, formatTime, zoneName } from './format.ts'
import { Icon, type IconName, Logo } from './icon.tsx'
import { listenToKeys, PAGES } from './keys.ts'
import { SignIn } from './sign-in.tsx'

const Finder = lazy(async () => ({ default: (await import('./dialogs.tsx')).Finder }))
const KeysDialog = lazy(async () => ({ default: (await import('./dialogs.tsx')).KeysDialog }))

const ICONS: Record<string, IconName> = { o: 'home', d: 'data', l: 'lineage', s: 'stream', r: 'runs', q: 'sql', b: 'dashboard' }

function Count({ of, session }: { readonly of: string; readonly session: Session | undefined }) {
  const counts = session?.counts
  const count = counts && { d: counts.relations, s: counts.streams, r: counts.failing }[of]
  if (count === undefined || (of === 'r' && count === 0)) return null
  return (
    <span className={of === 'r' ? 'n bad' : 'n'}>
      {formatShort(count)}
      {of === 'r' ? <span className="sr"> failing</span> : null}
    </span>
  )
}

function NavLink({ of, here, session }: { readonly of: string; readonly here: string; readonly session: Session | undefined }) {
  const page = PAGES[of]!
  return (
    <Link
      to={page.to}
      aria-current={here === page.to ? 'page' : undefined}
      activeProps={{}}
      activeOptions={{ exact: true }}
      title={page.name}
    >
      <Icon name={ICONS[of]!} size={16} />
      <span className="lb">{page.name}</span>
      <Count of={of} session={session} />
    </Link>
  )
}

function Nav({ here, session }: { readonly here: string; readonly session: Session | undefined }) {
  return (
    <nav className="nav" aria-label="Main">
      <div className="brand">
        <Logo />
        <span className="lb">
          Millrace <small>{session?.project}</small>
        </span>
      </div>
      {['o', 'd', 'l', 's', 'r'].map((key) => (
        <NavLink key={key} of={key} here={here} session={session} />
      ))}
      <h3>Ask</h3>
      {['q', 'b'].map((key) => (
        <NavLink key={key} of={key} here={here} session={session} />
      ))}
      <div className="foot">
        <div className="row" style={{ gap: 6 }}>
          <span className="t2 m5">{session?.environment}</span>
          <span>{session === undefined ? '' : `· ${session.deployment}`}</span>
        </div>
        <div>{session?.code == null ? `version ${session?.version ?? ''}` : `code ${session.code}`}</div>
      </div>
    </nav>
  )
}

const TOP: Record<string, string> = {
  data: 'Data',
  lineage: 'Lineage',
  streams: 'Streams',
  runs: 'Runs',
  sql: 'SQL',
  dashboards: 'Dashboards',
}

function Crumb({ parts, session }: { readonly parts: readonly string[]; readonly session: Session | undefined }) {
  const top = parts[0] === undefined ? 'Overview' : (TOP[parts[0]] ?? parts[0])
  const parent = parts[0] === undefined ? '/' : `/${parts[0]}`
  return (
    <nav className="crumb" aria-label="Where you are">
      <span className="hide-m">{session?.project ?? ''}</span>
      <span className="hide-m">
        <Icon name="right" size={12} />
      </span>
      {parts.length < 2 ? (
        <>
          <b className="cut hide-m">{top}</b>
          <span className="only-m">
            <b>{session?.project}</b> <span className="muted">{session?.environment}</span>
          </span>
        </>
      ) : (
        <>
          <Link to={parent} className="hide-m">
            {top}
          </Link>
          <span className="hide-m">
            <Icon name="right" size={12} />
          </span>
          <b className="cut hide-m">{decodeURIComponent(parts[1]!)}</b>
          <Link to={parent} className="only-m">
            <span className="row m5" style={{ gap: 6, color: 'var(--text-2)' }}>
              <Icon name="back" size={16} />
              {top}
            </span>
          </Link>
        </>
      )}
    </nav>
  )
}

function LiveMark() {
  const live = useLive()
  const now = useNow()
  const { zone } = usePreferences()
  const zoneText = zone === 'UTC' ? 'UTC' : zoneName()
  const clock = formatTime(now, now, zone, 'clock')
  if (live.state === 'paused')
    return (
      <button
        type="button"
        className="live paused hide-m plain"
        onClick={() => setPaused(false)}
        title="Figures are frozen; press to go on"
      >
        <i />
        Paused since {formatTime(live.sinceMs, now, zone, 'clock')}
      </button>
    )
  return (
    <span
      className={`live hide-m ${live.state === 'cut' ? 'cut' : ''}`}
      title={live.state === 'live' ? 'Connected; figures update as commits arrive' : 'Not connected'}
    >
      <i />
      {live.state === 'live' ? 'Live' : live.state === 'cut' ? 'Cut off' : 'Connecting'} · {clock} {zoneText}
    </span>
  )
}

function CutOff() {
  const live = useLive()
  const now = useNow()
  const { zone } = usePreferences()
  if (live.state !== 'cut') return null
  return (
    <div className="cutline" role="status">
      <span className="st warn">
        <Icon name="warn" />
        <span>Not connected for {formatDuration(now - live.sinceMs, 'short')}</span>
      </span>
      <span className="t2">
        Figures are of {formatTime(live.sinceMs, now, zone, 'clock')}. Trying again in{' '}
        {formatDuration(Math.max(0, live.nextTryMs - now), 'short')}.
      </span>
      <button type="button" className="link s12" onClick={tryNow}>
        Try now
      </button>
    </div>
  )
}

function Choices<K extends keyof Preferences>({
  of,
  options,
}: {
  readonly of: K
  readonly options: readonly (readonly [Preferences[K], string])[]
}) {
  const chosen = usePreferences()[of]
  return (
    <Menu.RadioGroup
      value={String(chosen)}
      onChange={(text) => setPreferences({ [of]: options.find(([value]) => String(value) === text)?.[0] ?? chosen })}
    >
      {options.map(([value, text]) => (
        <Menu.RadioItem key={text} value={String(value)}>
          {text}
        </Menu.RadioItem>
      ))}
    </Menu.RadioGroup>
  )
}

function Settings({
  children,
  session,
  more,
}: {
  readonly children: ReactNode
  readonly session: Session | undefined
  readonly more?: ReactNode
}) {
  return (
    <Menu position="bottom-end" shadow="none" transitionProps={{ duration: 0 }} width={220}>
      <Menu.Target>{children}</Menu.Target>
      <Menu.Dropdown>
        {more}
        <Menu.Label>
          {session?.user} · {session?.role}
        </Menu.Label>
        <Menu.Label>Theme</Menu.Label>
        <Choices
          of="theme"
          options={[
            ['system', 'As the system'],
            ['light', 'Light'],
            ['dark', 'Dark'],
          ]}
        />
        <Menu.Label>Times</Menu.Label>
        <Choices
          of="zone"
          options={[
            ['UTC', 'UTC'],
            ['local', `Local, ${zoneName()}`],
          ]}
        />
        <Menu.Label>Single-key shortcuts</Menu.Label>
        <Choices
          of="shortcuts"
          options={[
            [true, 'On'],
            [false, 'Off'],
          ]}
        />
        <Menu.Item
          onClick={() => {
            dropToken()
            queryClient.clear()
            window.location.reload()
          }}
        >
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}

function TabBar({ here, session }: { readonly here: string; readonly session: Session | undefined }) {
  const navigate = useNavigate()
  const inMore = ['/lineage', '/streams', '/dashboards'].includes(here)
  return (
    <nav className="tabbar" aria-label="Main, small screens">
      {['o', 'd', 'r', 'q'].map((key) => {
        const page = PAGES[key]!
        return (
          <Link
            key={key}
            to={page.to}
            activeProps={{}}
            activeOptions={{ exact: true }}
            aria-current={here === page.to ? 'page' : undefined}
          >
            <Icon name={ICONS[key]!} size={18} />
            {page.name}
          </Link>
        )
      })}
      <Settings
        session={session}
        more={['l', 's', 'b'].map((key) => (
          <Menu.Item key={key} onClick={() => void navigate({ to: PAGES[key]!.to })}>
            {PAGES[key]!.name}
          </Menu.Item>
        ))}
      >
        <button type="button" data-current={inMore || undefined}>
          <Icon name="more" size={18} />
          More
        </button>
      </Settings>
    </nav>
  )
}

export function Shell() {
  const session = useQuery(sessionQuery())
  const path = useRouterState({ select: (state) => state.location.pathname })
  const navigate = useNavigate()
  const [dialog, setDialog] = useState<'find' | 'keys' | null>(null)
  const parts = path.split('/').filter((part) => part !== '' && part !== 'console')
  const here = parts[0] === undefined ? '/' : `/${parts[0]}`
  useEffect(
    () => listenToKeys({ go: (to) => void navigate({ to }), find: () => setDialog('find'), help: () => setDialog('keys') }),
    [navigate],
  )
  if (session.error instanceof ApiError && session.error.status === 401) return <SignIn message={session.error.message} />
  const flush = here === '/runs' || here === '/sql' || here === '/lineage'
  return (
    <>
      <a className="skip" href="#main">
        Skip to content
      </a>
      <div className="app">
        <Nav here={here} session={session.data} />
        <div className="col">
          <header className="bar">
            <span className="only-m">
              <Logo />
            </span>
            <Crumb parts={parts} session={session.data} />
            <span className="sp" />
            <LiveMark />
            <button type="button" className="find" aria-label="Find relation, column, run" onClick={() => setDialog('find')}>
              <Icon name="find" size={14} />
              <span className="cut">Find relation, column, run</span>
              <span className="sp" />
              <span className="kbd hide-m">Ctrl K</span>
            </button>
            <Settings session={session.data}>
              <button type="button" className="who hide-m">
                <Icon name="lock" size={14} />
                {session.data?.role ?? '…'}
              </button>
            </Settings>
          </header>
          <CutOff />
          <main id="main" className={flush ? 'flush' : ''} tabIndex={-1}>
            <Outlet />
          </main>
        </div>
      </div>
      <TabBar here={here} session={session.data} />
      <Suspense fallback={null}>
        {dialog === 'find' ? <Finder onClose={() => setDialog(null)} /> : null}
        {dialog === 'keys' ? <KeysDialog onClose={() => setDialog(null)} /> : null}
      </Suspense>
    </>
  )
}
