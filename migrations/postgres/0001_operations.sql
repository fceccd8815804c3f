CREATE TABLE "backscroll_operations" (
	"user_id" text NOT NULL,
	"conversation_id" text NOT NULL,
	"id" text NOT NULL,
	"position" bigint NOT NULL,
	"fingerprint" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	CONSTRAINT "backscroll_operations_user_id_conversation_id_id_pk" PRIMARY KEY("user_id","conversation_id","id")
);
--> statement-breakpoint
ALTER TABLE "backscroll_turns" DROP CONSTRAINT "backscroll_turns_idempotency_key";--> statement-breakpoint
ALTER TABLE "backscroll_operations" ADD CONSTRAINT "backscroll_operations_conversation" FOREIGN KEY ("user_id","conversation_id") REFERENCES "backscroll_conversations"("user_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "backscroll_turns_idempotency_key" ON "backscroll_turns" USING btree ("user_id","conversation_id","idempotency_key") WHERE idempotency_key is not null;--> statement-breakpoint
CREATE INDEX "backscroll_operations_position" ON "backscroll_operations" USING btree ("user_id","conversation_id","position");