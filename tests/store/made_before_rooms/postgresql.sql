--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)


--
-- Name: refuse_change(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is append-only: post a new entry instead'; END $$;


--
-- Name: refuse_change_of_activated(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.refuse_change_of_activated() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN IF EXISTS (SELECT 1 FROM plan_activations WHERE plan_id = OLD.id) THEN RAISE EXCEPTION USING MESSAGE = 'the plan ' || OLD.id || ' was activated: make a plan with another id instead'; END IF; IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$;




--
-- Name: alembic_version; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);


--
-- Name: api_keys; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.api_keys (
    id bigint NOT NULL,
    name character varying(64) NOT NULL,
    role character varying(16) NOT NULL,
    user_id character varying(128),
    key_hash character varying(64) NOT NULL,
    beginning character varying(16) NOT NULL,
    created_at_us bigint NOT NULL,
    expires_at_us bigint,
    revoked_at_us bigint,
    CONSTRAINT ck_api_keys_role_known CHECK ((((role)::text = 'admin'::text) OR ((role)::text = 'service'::text) OR ((role)::text = 'user'::text))),
    CONSTRAINT ck_api_keys_user_only_for_users CHECK ((((role)::text = 'user'::text) = (user_id IS NOT NULL)))
);


--
-- Name: api_keys_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.api_keys_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: api_keys_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.api_keys_id_seq OWNED BY public.api_keys.id;


--
-- Name: audit_runs; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.audit_runs (
    id bigint NOT NULL,
    invariants integer NOT NULL,
    broken_invariants integer NOT NULL,
    finished_at_us bigint NOT NULL
);


--
-- Name: audit_runs_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.audit_runs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: audit_runs_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.audit_runs_id_seq OWNED BY public.audit_runs.id;


--
-- Name: credit_transactions; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.credit_transactions (
    entry_id bigint NOT NULL,
    "position" smallint NOT NULL,
    account_id character varying(128) NOT NULL,
    type character varying(32) NOT NULL,
    amount_credits bigint NOT NULL,
    balance_after_credits bigint,
    created_at_us bigint NOT NULL,
    CONSTRAINT ck_credit_transactions_amount_in_bounds CHECK (((amount_credits <> 0) AND ((amount_credits >= '-9007199254740991'::bigint) AND (amount_credits <= '9007199254740991'::bigint)))),
    CONSTRAINT ck_credit_transactions_balance_not_negative CHECK ((balance_after_credits >= 0)),
    CONSTRAINT ck_credit_transactions_balance_only_for_users CHECK (((substr((account_id)::text, 1, 9) = 'platform:'::text) = (balance_after_credits IS NULL))),
    CONSTRAINT ck_credit_transactions_type_known CHECK ((((type)::text = 'prompt_run'::text) OR ((type)::text = 'inference_cost'::text) OR ((type)::text = 'platform_revenue'::text) OR ((type)::text = 'creator_payment'::text) OR ((type)::text = 'flow_unlock'::text) OR ((type)::text = 'credit_purchase'::text) OR ((type)::text = 'grant'::text) OR ((type)::text = 'adjustment'::text) OR ((type)::text = 'refund'::text)))
);


--
-- Name: daily_totals; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.daily_totals (
    day integer NOT NULL,
    account_id character varying(128) NOT NULL,
    entry_type character varying(32) NOT NULL,
    type character varying(32) NOT NULL,
    amount_credits bigint NOT NULL,
    transaction_count bigint NOT NULL
);


--
-- Name: journal_entries; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.journal_entries (
    id bigint NOT NULL,
    type character varying(32) NOT NULL,
    idempotency_key character varying(400) NOT NULL,
    request_hash character varying(64) NOT NULL,
    actor character varying(128) NOT NULL,
    description text,
    refunds_entry_id bigint,
    created_at_us bigint NOT NULL,
    CONSTRAINT ck_journal_entries_refund_names_entry CHECK ((((type)::text = 'refund'::text) = (refunds_entry_id IS NOT NULL))),
    CONSTRAINT ck_journal_entries_type_known CHECK ((((type)::text = 'prompt_run'::text) OR ((type)::text = 'flow_unlock'::text) OR ((type)::text = 'credit_purchase'::text) OR ((type)::text = 'grant'::text) OR ((type)::text = 'adjustment'::text) OR ((type)::text = 'refund'::text)))
);


--
-- Name: journal_entries_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.journal_entries_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: journal_entries_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.journal_entries_id_seq OWNED BY public.journal_entries.id;


--
-- Name: plan_activations; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.plan_activations (
    id bigint NOT NULL,
    plan_id character varying(64) NOT NULL,
    reason text NOT NULL,
    actor character varying(128) NOT NULL,
    activated_at_us bigint NOT NULL,
    seal character varying(64) NOT NULL,
    CONSTRAINT ck_plan_activations_reason_given CHECK ((reason <> ''::text))
);


--
-- Name: price_plans; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.price_plans (
    id character varying(64) NOT NULL,
    toml text NOT NULL,
    revision integer NOT NULL,
    actor character varying(128) NOT NULL,
    saved_at_us bigint NOT NULL,
    CONSTRAINT ck_price_plans_revision_positive CHECK ((revision >= 1))
);


--
-- Name: prompt_runs; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.prompt_runs (
    entry_id bigint NOT NULL,
    user_id character varying(128) NOT NULL,
    prompt_id character varying(128) NOT NULL,
    model_id character varying(128) NOT NULL,
    creator_id character varying(128),
    plan_id character varying(64) NOT NULL,
    input_tokens bigint,
    output_tokens bigint,
    run_price_credits bigint,
    input_usd_per_mtok character varying(32),
    output_usd_per_mtok character varying(32),
    request_usd_per_thousand character varying(32),
    inference_cost_credits bigint NOT NULL,
    creator_fee_credits bigint NOT NULL,
    platform_markup_credits bigint NOT NULL,
    total_credits bigint NOT NULL,
    creator_share_credits bigint NOT NULL,
    created_at_us bigint NOT NULL,
    CONSTRAINT ck_prompt_runs_fee_has_creator CHECK (((creator_fee_credits = 0) = (creator_id IS NULL))),
    CONSTRAINT ck_prompt_runs_one_price CHECK (((run_price_credits IS NULL) = ((input_usd_per_mtok IS NOT NULL) AND (output_usd_per_mtok IS NOT NULL) AND (request_usd_per_thousand IS NOT NULL) AND (input_tokens IS NOT NULL) AND (output_tokens IS NOT NULL)))),
    CONSTRAINT ck_prompt_runs_share_within_fee CHECK (((creator_share_credits >= 0) AND (creator_share_credits <= creator_fee_credits))),
    CONSTRAINT ck_prompt_runs_total_is_sum CHECK ((total_credits = ((inference_cost_credits + creator_fee_credits) + platform_markup_credits)))
);


--
-- Name: rollup_watermark; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.rollup_watermark (
    id integer NOT NULL,
    entry_id bigint NOT NULL,
    CONSTRAINT ck_rollup_watermark_one_row CHECK ((id = 1))
);


--
-- Name: unlocked_flows; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.unlocked_flows (
    entry_id bigint NOT NULL,
    user_id character varying(128) NOT NULL,
    flow_id character varying(128) NOT NULL,
    creator_id character varying(128) NOT NULL,
    plan_id character varying(64) NOT NULL,
    unlock_fee_credits bigint NOT NULL,
    creator_share_credits bigint NOT NULL,
    refunded_by_entry_id bigint,
    created_at_us bigint NOT NULL,
    CONSTRAINT ck_unlocked_flows_fee_positive CHECK ((unlock_fee_credits > 0)),
    CONSTRAINT ck_unlocked_flows_share_within_fee CHECK (((creator_share_credits >= 0) AND (creator_share_credits <= unlock_fee_credits)))
);


--
-- Name: user_credits; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.user_credits (
    user_id character varying(128) NOT NULL,
    balance_credits bigint NOT NULL,
    created_at_us bigint NOT NULL,
    CONSTRAINT ck_user_credits_balance_in_bounds CHECK (((balance_credits >= 0) AND (balance_credits <= '9007199254740991'::bigint)))
);


--
-- Name: api_keys id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.api_keys ALTER COLUMN id SET DEFAULT nextval('public.api_keys_id_seq'::regclass);


--
-- Name: audit_runs id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audit_runs ALTER COLUMN id SET DEFAULT nextval('public.audit_runs_id_seq'::regclass);


--
-- Name: journal_entries id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.journal_entries ALTER COLUMN id SET DEFAULT nextval('public.journal_entries_id_seq'::regclass);


--
-- Data for Name: alembic_version; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.alembic_version VALUES ('0003');


--
-- Data for Name: api_keys; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.api_keys VALUES (1, 'shop', 'service', NULL, '36d4cf9c8b588f72eec6e0dd13b77fae4ea8164308f8879b7f4ed49526956a27', 'pfk_000000', 1793959980000000, NULL, NULL);
INSERT INTO public.api_keys VALUES (2, 'gone', 'admin', NULL, 'd27cb149a9aa14d41d33ee38909a4e405187018d6fba9710f119f80d13bafd15', 'pfk_111111', 1793978400000000, NULL, 1793996820000000);


--
-- Data for Name: audit_runs; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.audit_runs VALUES (1, 16, 0, 1794033660000000);


--
-- Data for Name: credit_transactions; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.credit_transactions VALUES (1, 0, 'ada', 'credit_purchase', 5000000, 5000000, 1793628420000000);
INSERT INTO public.credit_transactions VALUES (1, 1, 'platform:payments_in', 'credit_purchase', -5000000, NULL, 1793628420000000);
INSERT INTO public.credit_transactions VALUES (2, 0, 'ben', 'grant', 200000, 200000, 1793646840000000);
INSERT INTO public.credit_transactions VALUES (2, 1, 'platform:grants', 'grant', -200000, NULL, 1793646840000000);
INSERT INTO public.credit_transactions VALUES (3, 0, 'kim', 'adjustment', 77, 77, 1793665260000000);
INSERT INTO public.credit_transactions VALUES (3, 1, 'platform:adjustments', 'adjustment', -77, NULL, 1793665260000000);
INSERT INTO public.credit_transactions VALUES (4, 0, 'ada', 'prompt_run', -11000, 4989000, 1793683680000000);
INSERT INTO public.credit_transactions VALUES (4, 1, 'platform:revenue', 'platform_revenue', 1000, NULL, 1793683680000000);
INSERT INTO public.credit_transactions VALUES (4, 2, 'platform:inference', 'inference_cost', 10000, NULL, 1793683680000000);
INSERT INTO public.credit_transactions VALUES (5, 0, 'ada', 'prompt_run', -1050, 4987950, 1793702100000000);
INSERT INTO public.credit_transactions VALUES (5, 1, 'ben', 'creator_payment', 640, 200640, 1793702100000000);
INSERT INTO public.credit_transactions VALUES (5, 2, 'platform:revenue', 'platform_revenue', 160, NULL, 1793702100000000);
INSERT INTO public.credit_transactions VALUES (5, 3, 'platform:inference', 'inference_cost', 250, NULL, 1793702100000000);
INSERT INTO public.credit_transactions VALUES (6, 0, 'ada', 'prompt_run', -4200, 4983750, 1793720520000000);
INSERT INTO public.credit_transactions VALUES (6, 1, 'platform:revenue', 'platform_revenue', 700, NULL, 1793720520000000);
INSERT INTO public.credit_transactions VALUES (6, 2, 'platform:inference', 'inference_cost', 3500, NULL, 1793720520000000);
INSERT INTO public.credit_transactions VALUES (7, 0, 'ada', 'prompt_run', -5188, 4978562, 1793738940000000);
INSERT INTO public.credit_transactions VALUES (7, 1, 'ben', 'creator_payment', 4000, 204640, 1793738940000000);
INSERT INTO public.credit_transactions VALUES (7, 2, 'platform:revenue', 'platform_revenue', 1000, NULL, 1793738940000000);
INSERT INTO public.credit_transactions VALUES (7, 3, 'platform:inference', 'inference_cost', 188, NULL, 1793738940000000);
INSERT INTO public.credit_transactions VALUES (8, 0, 'ben', 'prompt_run', -22000, 182640, 1793757360000000);
INSERT INTO public.credit_transactions VALUES (8, 1, 'platform:revenue', 'platform_revenue', 2000, NULL, 1793757360000000);
INSERT INTO public.credit_transactions VALUES (8, 2, 'platform:inference', 'inference_cost', 20000, NULL, 1793757360000000);
INSERT INTO public.credit_transactions VALUES (9, 0, 'ada', 'prompt_run', -15, 4978547, 1793775780000000);
INSERT INTO public.credit_transactions VALUES (9, 1, 'platform:revenue', 'platform_revenue', 2, NULL, 1793775780000000);
INSERT INTO public.credit_transactions VALUES (9, 2, 'platform:inference', 'inference_cost', 13, NULL, 1793775780000000);
INSERT INTO public.credit_transactions VALUES (10, 0, 'ada', 'flow_unlock', -250000, 4728547, 1793794200000000);
INSERT INTO public.credit_transactions VALUES (10, 1, 'ben', 'creator_payment', 200000, 382640, 1793794200000000);
INSERT INTO public.credit_transactions VALUES (10, 2, 'platform:revenue', 'platform_revenue', 50000, NULL, 1793794200000000);
INSERT INTO public.credit_transactions VALUES (11, 0, 'ben', 'flow_unlock', -10000, 372640, 1793812620000000);
INSERT INTO public.credit_transactions VALUES (11, 1, 'ada', 'creator_payment', 8000, 4736547, 1793812620000000);
INSERT INTO public.credit_transactions VALUES (11, 2, 'platform:revenue', 'platform_revenue', 2000, NULL, 1793812620000000);
INSERT INTO public.credit_transactions VALUES (12, 0, 'ben', 'refund', 10000, 382640, 1793831040000000);
INSERT INTO public.credit_transactions VALUES (12, 1, 'ada', 'creator_payment', -8000, 4728547, 1793831040000000);
INSERT INTO public.credit_transactions VALUES (12, 2, 'platform:revenue', 'platform_revenue', -2000, NULL, 1793831040000000);
INSERT INTO public.credit_transactions VALUES (13, 0, 'ada', 'refund', 15, 4728562, 1793849460000000);
INSERT INTO public.credit_transactions VALUES (13, 1, 'platform:revenue', 'platform_revenue', -2, NULL, 1793849460000000);
INSERT INTO public.credit_transactions VALUES (13, 2, 'platform:inference', 'inference_cost', -13, NULL, 1793849460000000);
INSERT INTO public.credit_transactions VALUES (14, 0, 'ada', 'prompt_run', -12000, 4716562, 1793923140000000);
INSERT INTO public.credit_transactions VALUES (14, 1, 'platform:revenue', 'platform_revenue', 2000, NULL, 1793923140000000);
INSERT INTO public.credit_transactions VALUES (14, 2, 'platform:inference', 'inference_cost', 10000, NULL, 1793923140000000);
INSERT INTO public.credit_transactions VALUES (15, 0, 'ada', 'prompt_run', -100000, 4616562, 1793941560000000);
INSERT INTO public.credit_transactions VALUES (15, 1, 'platform:revenue', 'platform_revenue', 10000, NULL, 1793941560000000);
INSERT INTO public.credit_transactions VALUES (15, 2, 'platform:inference', 'inference_cost', 90000, NULL, 1793941560000000);
INSERT INTO public.credit_transactions VALUES (16, 0, 'ada', 'prompt_run', -12000, 4604562, 1794015240000000);
INSERT INTO public.credit_transactions VALUES (16, 1, 'platform:revenue', 'platform_revenue', 2000, NULL, 1794015240000000);
INSERT INTO public.credit_transactions VALUES (16, 2, 'platform:inference', 'inference_cost', 10000, NULL, 1794015240000000);
INSERT INTO public.credit_transactions VALUES (17, 0, 'ada', 'prompt_run', -12000, 4592562, 1794052080000000);
INSERT INTO public.credit_transactions VALUES (17, 1, 'platform:revenue', 'platform_revenue', 2000, NULL, 1794052080000000);
INSERT INTO public.credit_transactions VALUES (17, 2, 'platform:inference', 'inference_cost', 10000, NULL, 1794052080000000);


--
-- Data for Name: daily_totals; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.daily_totals VALUES (20759, 'ada', 'credit_purchase', 'credit_purchase', 5000000, 1);
INSERT INTO public.daily_totals VALUES (20759, 'ben', 'grant', 'grant', 200000, 1);
INSERT INTO public.daily_totals VALUES (20759, 'platform:grants', 'grant', 'grant', -200000, 1);
INSERT INTO public.daily_totals VALUES (20759, 'platform:payments_in', 'credit_purchase', 'credit_purchase', -5000000, 1);
INSERT INTO public.daily_totals VALUES (20760, 'ada', 'prompt_run', 'prompt_run', -21438, 4);
INSERT INTO public.daily_totals VALUES (20760, 'ben', 'prompt_run', 'creator_payment', 4640, 2);
INSERT INTO public.daily_totals VALUES (20760, 'kim', 'adjustment', 'adjustment', 77, 1);
INSERT INTO public.daily_totals VALUES (20760, 'platform:adjustments', 'adjustment', 'adjustment', -77, 1);
INSERT INTO public.daily_totals VALUES (20760, 'platform:inference', 'prompt_run', 'inference_cost', 13938, 4);
INSERT INTO public.daily_totals VALUES (20760, 'platform:revenue', 'prompt_run', 'platform_revenue', 2860, 4);
INSERT INTO public.daily_totals VALUES (20761, 'ada', 'flow_unlock', 'creator_payment', 8000, 1);
INSERT INTO public.daily_totals VALUES (20761, 'ada', 'flow_unlock', 'flow_unlock', -250000, 1);
INSERT INTO public.daily_totals VALUES (20761, 'ada', 'prompt_run', 'prompt_run', -15, 1);
INSERT INTO public.daily_totals VALUES (20761, 'ada', 'refund', 'creator_payment', -8000, 1);
INSERT INTO public.daily_totals VALUES (20761, 'ben', 'flow_unlock', 'creator_payment', 200000, 1);
INSERT INTO public.daily_totals VALUES (20761, 'ben', 'flow_unlock', 'flow_unlock', -10000, 1);
INSERT INTO public.daily_totals VALUES (20761, 'ben', 'prompt_run', 'prompt_run', -22000, 1);
INSERT INTO public.daily_totals VALUES (20761, 'ben', 'refund', 'refund', 10000, 1);
INSERT INTO public.daily_totals VALUES (20761, 'platform:inference', 'prompt_run', 'inference_cost', 20013, 2);
INSERT INTO public.daily_totals VALUES (20761, 'platform:revenue', 'flow_unlock', 'platform_revenue', 52000, 2);
INSERT INTO public.daily_totals VALUES (20761, 'platform:revenue', 'prompt_run', 'platform_revenue', 2002, 2);
INSERT INTO public.daily_totals VALUES (20761, 'platform:revenue', 'refund', 'platform_revenue', -2000, 1);
INSERT INTO public.daily_totals VALUES (20762, 'ada', 'prompt_run', 'prompt_run', -12000, 1);
INSERT INTO public.daily_totals VALUES (20762, 'ada', 'refund', 'refund', 15, 1);
INSERT INTO public.daily_totals VALUES (20762, 'platform:inference', 'prompt_run', 'inference_cost', 10000, 1);
INSERT INTO public.daily_totals VALUES (20762, 'platform:inference', 'refund', 'inference_cost', -13, 1);
INSERT INTO public.daily_totals VALUES (20762, 'platform:revenue', 'prompt_run', 'platform_revenue', 2000, 1);
INSERT INTO public.daily_totals VALUES (20762, 'platform:revenue', 'refund', 'platform_revenue', -2, 1);
INSERT INTO public.daily_totals VALUES (20763, 'ada', 'prompt_run', 'prompt_run', -100000, 1);
INSERT INTO public.daily_totals VALUES (20763, 'platform:inference', 'prompt_run', 'inference_cost', 90000, 1);
INSERT INTO public.daily_totals VALUES (20763, 'platform:revenue', 'prompt_run', 'platform_revenue', 10000, 1);
INSERT INTO public.daily_totals VALUES (20764, 'ada', 'prompt_run', 'prompt_run', -12000, 1);
INSERT INTO public.daily_totals VALUES (20764, 'platform:inference', 'prompt_run', 'inference_cost', 10000, 1);
INSERT INTO public.daily_totals VALUES (20764, 'platform:revenue', 'prompt_run', 'platform_revenue', 2000, 1);


--
-- Data for Name: journal_entries; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.journal_entries VALUES (1, 'credit_purchase', 'dashboard:a1', '265a57a48894f7247bc30ce7007f55aeac35943cada252b1af3a8b095fa176c9', 'dashboard', 'Invoice 17', NULL, 1793628420000000);
INSERT INTO public.journal_entries VALUES (2, 'grant', 'dashboard:a2', 'ba8c486abbab1835d450ead053dfe8d3b5ef3c98e40d0d4f2ede62135b438a32', 'dashboard', 'Welcome', NULL, 1793646840000000);
INSERT INTO public.journal_entries VALUES (3, 'adjustment', 'legacy:kim', 'b61de0372d7657a3423b482afbada474a25f0e787788672a38a3bdf3320a8f4e', 'cli', 'Opening balance from the former credit system', NULL, 1793665260000000);
INSERT INTO public.journal_entries VALUES (4, 'prompt_run', 'run-1', '73a052fcaec46020902b814817b162cce4eb943cddfd9f90c8554e5aabec6fc0', 'dashboard', NULL, NULL, 1793683680000000);
INSERT INTO public.journal_entries VALUES (5, 'prompt_run', 'run-2', '363a94dc870d6dc340ca72aba762c34570bf7ac991bd74bdf29919472f841010', 'dashboard', NULL, NULL, 1793702100000000);
INSERT INTO public.journal_entries VALUES (6, 'prompt_run', 'run-3', 'b5951bcfce89892d842891600df1a69189c8a74d5957c9c75989473f1c872282', 'dashboard', NULL, NULL, 1793720520000000);
INSERT INTO public.journal_entries VALUES (7, 'prompt_run', 'run-4', '0445dd11b15619dd9ee3b296d172789b7842279178a52df8f9d803635cb17ee1', 'dashboard', NULL, NULL, 1793738940000000);
INSERT INTO public.journal_entries VALUES (8, 'prompt_run', 'run-5', '2bbfa959e38aa0f166dec849869f4069cd0735c2b9db22697b87feebd2448731', 'dashboard', NULL, NULL, 1793757360000000);
INSERT INTO public.journal_entries VALUES (9, 'prompt_run', 'run-6', '16621ed7f45419d3aa4d51838def1c37a73076ad410198a3b4bd1ce9d9383e31', 'dashboard', NULL, NULL, 1793775780000000);
INSERT INTO public.journal_entries VALUES (10, 'flow_unlock', 'unlock-1', '4f47ee9bd7f26f29a3cd1ae608bf400e0c554a95bf0734c65a4d19e95ff3bc7b', 'dashboard', NULL, NULL, 1793794200000000);
INSERT INTO public.journal_entries VALUES (11, 'flow_unlock', 'unlock-2', '77fa0a2b0abe309bfccb331201e3097d2f3b874b6a95555b17dc9fe71a456414', 'dashboard', NULL, NULL, 1793812620000000);
INSERT INTO public.journal_entries VALUES (12, 'refund', 'refund-1', '6561563fe821791b67d37ae11752d380fb04b4b725723a13fa49b75205922d79', 'dashboard', 'By mistake', 11, 1793831040000000);
INSERT INTO public.journal_entries VALUES (13, 'refund', 'refund-2', '50aeb8841f4a8ec9a794dcfa266b7220cb0097512c165ab8b34d577beaba664e', 'dashboard', 'Bad answer', 9, 1793849460000000);
INSERT INTO public.journal_entries VALUES (14, 'prompt_run', 'run-7', 'ef9c576f914cf842590a034144a3488471e02522f04bf8374770a01cedcb0e38', 'dashboard', NULL, NULL, 1793923140000000);
INSERT INTO public.journal_entries VALUES (15, 'prompt_run', 'run-8', '449765114919d176f39a9729d19adc84369b9b2e4f7a0dc60178e80d1933c6bb', 'api/shop', NULL, NULL, 1793941560000000);
INSERT INTO public.journal_entries VALUES (16, 'prompt_run', 'api:1:order-9', '970eac87eb3c32c2bf4d1425152060ff946e3b4a9f9c6b7079bb965c4d76c750', 'api/shop', NULL, NULL, 1794015240000000);
INSERT INTO public.journal_entries VALUES (17, 'prompt_run', 'run-9', '14b50b40f74cfdb6582f221397a43073ce2a944d9643c33a4d7e6c8b287df9e5', 'dashboard', NULL, NULL, 1794052080000000);


--
-- Data for Name: plan_activations; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.plan_activations VALUES (1, 'promptflow-v1', 'The specification''s plan', 'migration', 0, '3861dea98a52ab1a11de51c2da383a2cd65f25e073d6889ba10841725af22c8d');
INSERT INTO public.plan_activations VALUES (2, 'graduated', 'Try graduated tiers', 'dashboard', 1793886300000000, '4dba2c2d7b0338d1bd662cdb051a3f82c940abac50649a2efe06c10478fb4f51');


--
-- Data for Name: price_plans; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.price_plans VALUES ('promptflow-v1', 'id = "promptflow-v1"
creator_share_bps = 8000
tier_mode = "volume"
cap_down = false

[[tiers]]
below_credits = 10000
markup_bps = 2000

[[tiers]]
below_credits = 100000
markup_bps = 1000

[[tiers]]
markup_credits = 500
', 1, 'migration', 0);
INSERT INTO public.price_plans VALUES ('graduated', 'id = "graduated"
creator_share_bps = 8000
tier_mode = "graduated"
cap_down = false

[[tiers]]
below_credits = 10000
markup_bps = 2000

[[tiers]]
below_credits = 100000
markup_bps = 1000

[[tiers]]
markup_credits = 500
', 1, 'dashboard', 1793867880000000);
INSERT INTO public.price_plans VALUES ('draft-1', 'id = "draft-1"
creator_share_bps = 8000
tier_mode = "volume"
cap_down = false

[[tiers]]
below_credits = 10000
markup_bps = 2000

[[tiers]]
below_credits = 100000
markup_bps = 1000

[[tiers]]
markup_credits = 500
', 1, 'dashboard', 1793904720000000);


--
-- Data for Name: prompt_runs; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.prompt_runs VALUES (4, 'ada', 'prompt-1', 'gpt-4o', NULL, 'promptflow-v1', NULL, NULL, 10000, NULL, NULL, NULL, 10000, 0, 1000, 11000, 0, 1793683680000000);
INSERT INTO public.prompt_runs VALUES (5, 'ada', 'prompt-2', 'claude-3-haiku', 'ben', 'promptflow-v1', NULL, NULL, 250, NULL, NULL, NULL, 250, 800, 0, 1050, 640, 1793702100000000);
INSERT INTO public.prompt_runs VALUES (6, 'ada', 'prompt-3', 'openai/gpt-4o', NULL, 'promptflow-v1', 1000, 100, NULL, '2.5', '10', '0', 3500, 0, 700, 4200, 0, 1793720520000000);
INSERT INTO public.prompt_runs VALUES (7, 'ada', 'prompt-4', 'openai/gpt-4o', 'ben', 'promptflow-v1', 35, 10, NULL, '2.5', '10', '0', 188, 5000, 0, 5188, 4000, 1793738940000000);
INSERT INTO public.prompt_runs VALUES (8, 'ben', 'prompt-5', 'dall-e-3', NULL, 'promptflow-v1', NULL, NULL, 20000, NULL, NULL, NULL, 20000, 0, 2000, 22000, 0, 1793757360000000);
INSERT INTO public.prompt_runs VALUES (9, 'ada', 'prompt-6', 'openai/gpt-4o', NULL, 'promptflow-v1', 1, 1, NULL, '2.5', '10', '0', 13, 0, 2, 15, 0, 1793775780000000);
INSERT INTO public.prompt_runs VALUES (14, 'ada', 'prompt-7', 'gpt-4o', NULL, 'graduated', NULL, NULL, 10000, NULL, NULL, NULL, 10000, 0, 2000, 12000, 0, 1793923140000000);
INSERT INTO public.prompt_runs VALUES (15, 'ada', 'prompt-8', 'openai/gpt-4o', NULL, 'graduated', 20000, 4000, NULL, '2.5', '10', '0', 90000, 0, 10000, 100000, 0, 1793941560000000);
INSERT INTO public.prompt_runs VALUES (16, 'ada', 'prompt-api', 'gpt-4o', NULL, 'graduated', NULL, NULL, 10000, NULL, NULL, NULL, 10000, 0, 2000, 12000, 0, 1794015240000000);
INSERT INTO public.prompt_runs VALUES (17, 'ada', 'prompt-9', 'gpt-4o', NULL, 'graduated', NULL, NULL, 10000, NULL, NULL, NULL, 10000, 0, 2000, 12000, 0, 1794052080000000);


--
-- Data for Name: rollup_watermark; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.rollup_watermark VALUES (1, 16);


--
-- Data for Name: unlocked_flows; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.unlocked_flows VALUES (10, 'ada', 'flow-1', 'ben', 'promptflow-v1', 250000, 200000, NULL, 1793794200000000);
INSERT INTO public.unlocked_flows VALUES (11, 'ben', 'flow-2', 'ada', 'promptflow-v1', 10000, 8000, 12, 1793812620000000);


--
-- Data for Name: user_credits; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.user_credits VALUES ('kim', 77, 1793665260000000);
INSERT INTO public.user_credits VALUES ('lou', 0, 1793665260000000);
INSERT INTO public.user_credits VALUES ('ben', 382640, 1793646840000000);
INSERT INTO public.user_credits VALUES ('ada', 4592562, 1793628420000000);


--
-- Name: api_keys_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.api_keys_id_seq', 2, true);


--
-- Name: audit_runs_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.audit_runs_id_seq', 1, true);


--
-- Name: journal_entries_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.journal_entries_id_seq', 17, true);


--
-- Name: alembic_version alembic_version_pkc; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);


--
-- Name: api_keys pk_api_keys; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT pk_api_keys PRIMARY KEY (id);


--
-- Name: audit_runs pk_audit_runs; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audit_runs
    ADD CONSTRAINT pk_audit_runs PRIMARY KEY (id);


--
-- Name: credit_transactions pk_credit_transactions; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.credit_transactions
    ADD CONSTRAINT pk_credit_transactions PRIMARY KEY (entry_id, "position");


--
-- Name: daily_totals pk_daily_totals; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.daily_totals
    ADD CONSTRAINT pk_daily_totals PRIMARY KEY (day, account_id, entry_type, type);


--
-- Name: journal_entries pk_journal_entries; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.journal_entries
    ADD CONSTRAINT pk_journal_entries PRIMARY KEY (id);


--
-- Name: plan_activations pk_plan_activations; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.plan_activations
    ADD CONSTRAINT pk_plan_activations PRIMARY KEY (id);


--
-- Name: price_plans pk_price_plans; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.price_plans
    ADD CONSTRAINT pk_price_plans PRIMARY KEY (id);


--
-- Name: prompt_runs pk_prompt_runs; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.prompt_runs
    ADD CONSTRAINT pk_prompt_runs PRIMARY KEY (entry_id);


--
-- Name: rollup_watermark pk_rollup_watermark; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.rollup_watermark
    ADD CONSTRAINT pk_rollup_watermark PRIMARY KEY (id);


--
-- Name: unlocked_flows pk_unlocked_flows; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.unlocked_flows
    ADD CONSTRAINT pk_unlocked_flows PRIMARY KEY (entry_id);


--
-- Name: user_credits pk_user_credits; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_credits
    ADD CONSTRAINT pk_user_credits PRIMARY KEY (user_id);


--
-- Name: api_keys uq_api_keys_key_hash; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT uq_api_keys_key_hash UNIQUE (key_hash);


--
-- Name: journal_entries uq_journal_entries_idempotency_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.journal_entries
    ADD CONSTRAINT uq_journal_entries_idempotency_key UNIQUE (idempotency_key);


--
-- Name: journal_entries uq_journal_entries_refunds_entry_id; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.journal_entries
    ADD CONSTRAINT uq_journal_entries_refunds_entry_id UNIQUE (refunds_entry_id);


--
-- Name: ix_credit_transactions_account_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_credit_transactions_account_id ON public.credit_transactions USING btree (account_id, entry_id, "position");


--
-- Name: uq_api_keys_name_in_force; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX uq_api_keys_name_in_force ON public.api_keys USING btree (name) WHERE (revoked_at_us IS NULL);


--
-- Name: uq_unlocked_flows_in_force; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX uq_unlocked_flows_in_force ON public.unlocked_flows USING btree (user_id, flow_id) WHERE (refunded_by_entry_id IS NULL);


--
-- Name: credit_transactions credit_transactions_no_change; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER credit_transactions_no_change BEFORE DELETE OR UPDATE ON public.credit_transactions FOR EACH ROW EXECUTE FUNCTION public.refuse_change();


--
-- Name: credit_transactions credit_transactions_no_truncate; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER credit_transactions_no_truncate BEFORE TRUNCATE ON public.credit_transactions FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();


--
-- Name: journal_entries journal_entries_no_change; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER journal_entries_no_change BEFORE DELETE OR UPDATE ON public.journal_entries FOR EACH ROW EXECUTE FUNCTION public.refuse_change();


--
-- Name: journal_entries journal_entries_no_truncate; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER journal_entries_no_truncate BEFORE TRUNCATE ON public.journal_entries FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();


--
-- Name: plan_activations plan_activations_no_change; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER plan_activations_no_change BEFORE DELETE OR UPDATE ON public.plan_activations FOR EACH ROW EXECUTE FUNCTION public.refuse_change();


--
-- Name: plan_activations plan_activations_no_truncate; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER plan_activations_no_truncate BEFORE TRUNCATE ON public.plan_activations FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();


--
-- Name: price_plans price_plans_no_change; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER price_plans_no_change BEFORE DELETE OR UPDATE ON public.price_plans FOR EACH ROW EXECUTE FUNCTION public.refuse_change_of_activated();


--
-- Name: price_plans price_plans_no_truncate; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER price_plans_no_truncate BEFORE TRUNCATE ON public.price_plans FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();


--
-- Name: prompt_runs prompt_runs_no_change; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER prompt_runs_no_change BEFORE DELETE OR UPDATE ON public.prompt_runs FOR EACH ROW EXECUTE FUNCTION public.refuse_change();


--
-- Name: prompt_runs prompt_runs_no_truncate; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER prompt_runs_no_truncate BEFORE TRUNCATE ON public.prompt_runs FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();


--
-- Name: api_keys fk_api_keys_user_id; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT fk_api_keys_user_id FOREIGN KEY (user_id) REFERENCES public.user_credits(user_id);


--
-- Name: credit_transactions fk_credit_transactions_entry_id; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.credit_transactions
    ADD CONSTRAINT fk_credit_transactions_entry_id FOREIGN KEY (entry_id) REFERENCES public.journal_entries(id);


--
-- Name: journal_entries fk_journal_entries_refunds_entry_id; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.journal_entries
    ADD CONSTRAINT fk_journal_entries_refunds_entry_id FOREIGN KEY (refunds_entry_id) REFERENCES public.journal_entries(id);


--
-- Name: plan_activations fk_plan_activations_plan_id; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.plan_activations
    ADD CONSTRAINT fk_plan_activations_plan_id FOREIGN KEY (plan_id) REFERENCES public.price_plans(id);


--
-- Name: prompt_runs fk_prompt_runs_entry_id; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.prompt_runs
    ADD CONSTRAINT fk_prompt_runs_entry_id FOREIGN KEY (entry_id) REFERENCES public.journal_entries(id);


--
-- Name: prompt_runs fk_prompt_runs_user_id; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.prompt_runs
    ADD CONSTRAINT fk_prompt_runs_user_id FOREIGN KEY (user_id) REFERENCES public.user_credits(user_id);


--
-- Name: unlocked_flows fk_unlocked_flows_entry_id; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.unlocked_flows
    ADD CONSTRAINT fk_unlocked_flows_entry_id FOREIGN KEY (entry_id) REFERENCES public.journal_entries(id);


--
-- Name: unlocked_flows fk_unlocked_flows_refunded_by_entry_id; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.unlocked_flows
    ADD CONSTRAINT fk_unlocked_flows_refunded_by_entry_id FOREIGN KEY (refunded_by_entry_id) REFERENCES public.journal_entries(id);


--
-- Name: unlocked_flows fk_unlocked_flows_user_id; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.unlocked_flows
    ADD CONSTRAINT fk_unlocked_flows_user_id FOREIGN KEY (user_id) REFERENCES public.user_credits(user_id);


--
-- PostgreSQL database dump complete
--


