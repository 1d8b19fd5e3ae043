import { Button, Group, Modal } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { ProblemNote } from "./ProblemNote";

interface AskProps<Answer> {
  title: string;
  /** What will happen when it is confirmed. */
  children: ReactNode;
  confirm: string;
  danger?: boolean;
  act: () => Promise<Answer>;
  onClose: () => void;
  /** What became of it; without it the dialog closes when it is done. */
  became?: (answer: Answer) => ReactNode;
}

/** Ask before something is done, do it, and say what became of it. */
export function Ask<Answer>({ title, children, confirm, danger = false, act, onClose, became }: AskProps<Answer>): ReactNode {
  const command = useMutation({ mutationFn: act, onSuccess: () => (became === undefined ? onClose() : undefined) });
  const done = command.isSuccess && became !== undefined;
  return (
    <Modal opened onClose={onClose} title={done ? title.replace("?", "") : title} centered data-testid="ask">
      {command.isSuccess && became !== undefined ? <div role="status">{became(command.data)}</div> : children}
      <ProblemNote failure={command.error} />
      <Group justify="flex-end" gap="xs" mt="md">
        <Button variant="default" onClick={onClose}>
          {done ? "Close" : "Cancel"}
        </Button>
        {!done && (
          <Button color={danger ? "signal" : "sea"} loading={command.isPending} onClick={() => command.mutate()} data-autofocus>
            {confirm}
          </Button>
        )}
      </Group>
    </Modal>
  );
}

/** Keep whether a dialog is open, and for what. */
export function useAsked<Subject>(): [Subject | null, (subject: Subject) => void, () => void] {
  const [subject, setSubject] = useState<Subject | null>(null);
  return [subject, setSubject, () => setSubject(null)];
}
