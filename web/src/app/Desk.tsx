/** The desk: everything on one page, put together. */

import { Button, Drawer } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useState, type ReactNode } from "react";
import { ME, useInstruments, usePortfolios } from "../api/queries";
import type { Instrument, Me, Portfolio } from "../api/types";
import { Bots } from "../panels/Bots";
import { Book } from "../panels/Book";
import { Equity } from "../panels/Equity";
import { Figures } from "../panels/Figures";
import { GuardPanel } from "../panels/GuardPanel";
import { Imported } from "../panels/Imported";
import { LoadLine } from "../panels/LoadLine";
import { Market } from "../panels/Market";
import { Settings } from "../panels/Settings";
import { Asked } from "../parts/Asked";
import { Panel } from "../parts/Panel";
import { follow } from "../stream/connection";
import { useLink } from "../stream/hooks";
import { forget } from "../stream/live";
import { makeRefresher } from "../stream/refresh";
import { Ticket } from "../ticket/Ticket";
import { Banners } from "./Banners";
import { DeskProvider, isImported, useDesk } from "./desk-context";
import { Header } from "./Header";
import { LastEvent } from "./LastEvent";

export function Desk({ me }: { me: Me }): ReactNode {
  useStream();
  const portfolios = usePortfolios();
  const [chosen, choose] = useState<string | null>(null);
  const portfolio = portfolios.data?.items.find((one) => one.id === chosen) ?? portfolios.data?.items[0];
  // Another account trades other instruments, with steps and prices of their own.
  const instruments = useInstruments(portfolio?.id);
  return (
    <Asked query={portfolios}>
      {(owned) =>
        portfolio === undefined ? (
          <p className="none">You have no account on this desk yet.</p>
        ) : (
          <Asked query={instruments}>
            {(tradable) => (
              <Opened me={me} portfolios={owned.items} portfolio={portfolio} choose={choose} instruments={tradable.items} />
            )}
          </Asked>
        )
      }
    </Asked>
  );
}

/** Follow the stream for as long as this person is here. */
function useStream(): void {
  const client = useQueryClient();
  useEffect(() => {
    const end = follow({
      refresher: makeRefresher(client),
      askSession: () => void client.refetchQueries({ queryKey: ME }),
    });
    return () => {
      end();
      forget();
      // Whoever signs in next must not see a moment of this person's book.
      client.removeQueries({ predicate: (query) => query.queryKey[0] !== ME[0] });
    };
  }, [client]);
}

interface OpenedProps {
  me: Me;
  portfolios: readonly Portfolio[];
  portfolio: Portfolio;
  choose: (id: string) => void;
  instruments: readonly Instrument[];
}

function Opened({ me, portfolios, portfolio, choose, instruments }: OpenedProps): ReactNode {
  const [symbol, setSymbol] = useState<string | null>(null);
  const [settings, setSettings] = useState(false);
  const linked = useLink().state !== "reconnecting";
  const shown = instruments.find((one) => one.symbol === symbol) ?? instruments[0];
  const desk = useMemo(
    () => ({ portfolio, symbol: shown?.symbol ?? "", setSymbol, instruments, mayTrade: me.rights.includes("trade") }),
    [portfolio, shown, instruments, me],
  );
  return (
    <DeskProvider value={desk}>
      <div className="top">
        <Header portfolios={portfolios} choose={choose} openSettings={() => setSettings(true)} />
        <Banners />
      </div>
      <main className={linked ? "desk" : "desk desk-cut"}>{isImported(portfolio) ? <Imported /> : <Traded />}</main>
      <footer className="footer">
        <LastEvent />
      </footer>
      {settings && <Settings me={me} onClose={() => setSettings(false)} />}
    </DeskProvider>
  );
}

function Traded(): ReactNode {
  return (
    <>
      <div className="desk-side">
        <LoadLine />
        <Figures />
        <GuardPanel />
      </div>
      <div className="desk-main">
        <Market />
        <Book />
        <Equity />
        <Bots />
      </div>
      <TicketPlace />
    </>
  );
}

/** Beside the market where there is room; a drawer behind a button where there is not. */
function TicketPlace(): ReactNode {
  const narrow = useMediaQuery("(max-width: 899px)", undefined, { getInitialValueInEffect: false });
  const [open, setOpen] = useState(false);
  const { symbol } = useDesk();
  if (!narrow) {
    return (
      <div className="desk-ticket">
        <Panel title="Order ticket" id="ticket-panel">
          <Ticket />
        </Panel>
      </div>
    );
  }
  return (
    <>
      <div className="trade-bar">
        <Button fullWidth size="md" onClick={() => setOpen(true)} data-testid="open-ticket">
          Trade {symbol}
        </Button>
      </div>
      <Drawer opened={open} onClose={() => setOpen(false)} position="bottom" size="92%" title="Order ticket" keepMounted>
        <Ticket />
      </Drawer>
    </>
  );
}
