import { Tabs } from "@mantine/core";
import type { ReactNode } from "react";
import { useOrders, usePositions } from "../api/queries";
import { useDesk } from "../app/desk-context";
import { Orders } from "./Orders";
import { Positions } from "./Positions";
import { Trades } from "./Trades";

/** Positions, orders and trades, one at a time. */
export function Book(): ReactNode {
  const { portfolio } = useDesk();
  const positions = usePositions(portfolio.id).data?.items.length;
  const orders = useOrders(portfolio.id, "open").data?.length;
  return (
    <section className="panel book" aria-label="Book" data-testid="book">
      <Tabs defaultValue="positions" keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="positions" rightSection={<Count of={positions} />}>
            Positions
          </Tabs.Tab>
          <Tabs.Tab value="orders" rightSection={<Count of={orders} />}>
            Orders
          </Tabs.Tab>
          <Tabs.Tab value="trades">Trades</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="positions">
          <Positions />
        </Tabs.Panel>
        <Tabs.Panel value="orders">
          <Orders />
        </Tabs.Panel>
        <Tabs.Panel value="trades">
          <Trades />
        </Tabs.Panel>
      </Tabs>
    </section>
  );
}

function Count({ of }: { of: number | undefined }): ReactNode {
  return of === undefined || of === 0 ? null : <span className="count">{of}</span>;
}
